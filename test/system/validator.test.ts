/** A validating unbound that forwards to the edge, whose upstream serves a signed zone: what it asks must validate. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RELAY, RunningService, runProgram, temporaryFolder, until } from '../support/service.ts';
import { toolFolders } from '../support/tools.ts';

const run = promisify(execFile);
const env = { ...process.env, PATH: toolFolders(process.env['PATH'] ?? '').join(':') };
/** Signed by ldns-signzone until 2046; its key is thrown away. */
const ZONE = join(import.meta.dirname, 'zones/signed.example.zone');
const ANCHOR =
  'signed.example. IN DS 3639 15 2 bbfb132b323902cc2274da3bde5db3e18078d3be676bca6c023252394985fb17';
const HOME = '127.0.0.1';
/** Steered, although its zone is signed and says that it does not exist. */
const FILMS = 'www.films.signed.example';

const processes: ChildProcess[] = [];
let service: RunningService;
let validatorPort = 0;
let authorityPort = 0;
/** The same with the exported lines. */
let unboundPort = 0;
let dnsmasqPort = 0;

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}

/** Starts unbound on loopback. @param module `iterator`, or `validator iterator` */
function startUnbound(folder: string, name: string, port: number, module: string, zones: string): void {
  const file = join(folder, `${name}.conf`);
  writeFileSync(
    file,
    `server:
  interface: 127.0.0.1@${port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "${module}"
${zones}`,
  );
  processes.push(spawn('unbound', ['-d', '-c', file], { stdio: ['ignore', 'ignore', 'ignore'], env }));
}

/** Asks by dig. @returns status, flags and the answer's records */
async function dig(port: number, ...question: string[]): Promise<{ header: string; answer: string[] }> {
  const options = ['+noall', '+comments', '+answer', '+tries=2', '+time=5', '+dnssec'];
  const { stdout } = await run('dig', ['@127.0.0.1', '-p', `${port}`, ...options, ...question], { env });
  const status = /status: (\w+)/.exec(stdout)?.[1];
  const flags = /flags: ([a-z ]*);/.exec(stdout)?.[1]?.split(' ') ?? [];
  const answer = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  return { header: `${status}${flags.includes('ad') ? ' AD' : ''}`, answer };
}

/** Starts a validating dnsmasq on loopback. */
function startDnsmasq(folder: string, port: number, lines: string): void {
  const file = join(folder, 'dnsmasq.conf');
  const { host, port: edgePort } = service.udp;
  const [, , , tag, algorithm, type, digest] = ANCHOR.split(' ');
  const config = [
    'keep-in-foreground',
    'no-resolv',
    'no-hosts',
    'bind-interfaces',
    'listen-address=127.0.0.1',
    `port=${port}`,
    `pid-file=${join(folder, 'dnsmasq.pid')}`,
    'dnssec',
    'dnssec-check-unsigned=no',
    // It does not start without the root's; nothing here is asked for by it.
    'trust-anchor=.,20326,8,2,e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d',
    `trust-anchor=signed.example,${tag},${algorithm},${type},${digest}`,
    `server=${host}#${edgePort}`,
    lines,
  ];
  writeFileSync(file, `${config.join('\n')}\n`);
  processes.push(
    spawn('dnsmasq', [`--conf-file=${file}`, `--user=${userInfo().username}`], { stdio: 'ignore', env }),
  );
}

/** Runs `catalog export`. @returns its output */
async function exported(format: string): Promise<string> {
  const { host, port } = service.udp;
  const server = format === 'dnsmasq' ? ['--server', `${host}#${port}`] : [];
  const config = ['--config', join(service.folder, 'config.yaml')];
  const { code, stdout, stderr } = await runProgram([
    'catalog',
    'export',
    '--format',
    format,
    ...server,
    ...config,
  ]);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

/** Waits until a server answers with the zone's keys. */
async function untilAnswers(port: number): Promise<void> {
  const answers = async () => {
    const { header } = await dig(port, 'signed.example', 'DNSKEY').catch(() => ({ header: '' }));
    return header.startsWith('NOERROR');
  };
  await until(answers, `port ${port} answers`);
}

beforeAll(async () => {
  const folder = temporaryFolder();
  [authorityPort, validatorPort] = [await freePort(), await freePort()];
  startUnbound(
    folder,
    'authority',
    authorityPort,
    'iterator',
    `auth-zone:
  name: signed.example.
  zonefile: ${ZONE}
  for-downstream: yes
  for-upstream: no
`,
  );
  await untilAnswers(authorityPort);
  const services = join(folder, 'services');
  mkdirSync(services);
  writeFileSync(
    join(services, 'films.yaml'),
    'service: films\ntitle: Films\nregions: [us]\nnames: [films.signed.example]\nexact: [cdn.signed.example]\n',
  );
  service = await RunningService.start({
    config: {
      upstreams: [`udp://127.0.0.1:${authorityPort}`],
      catalog: { services: [join(services, '*.yaml')] },
    },
  });
  await service.household([HOME]);
  // A validator remembers for a minute that it could not get the keys: it starts last.
  await untilAnswers(service.udp.port);
  startUnbound(
    folder,
    'validator',
    validatorPort,
    'validator iterator',
    `  trust-anchor: "${ANCHOR}"
forward-zone:
  name: "signed.example."
  forward-addr: 127.0.0.1@${service.udp.port}
`,
  );
  await untilAnswers(validatorPort);
  [unboundPort, dnsmasqPort] = [await freePort(), await freePort()];
  startUnbound(
    folder,
    'unbound',
    unboundPort,
    'validator iterator',
    `  trust-anchor: "${ANCHOR}"
${await exported('unbound')}
forward-zone:
  name: "signed.example."
  forward-addr: 127.0.0.1@${service.udp.port}
`,
  );
  startDnsmasq(folder, dnsmasqPort, await exported('dnsmasq'));
  await Promise.all([untilAnswers(unboundPort), untilAnswers(dnsmasqPort)]);
});
afterAll(async () => {
  for (const child of processes) {
    if (child.exitCode !== null) continue;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  await service?.stop();
});

it.each(['signed.example', 'many.signed.example', 'alias.signed.example', 'mail.signed.example'])(
  '8482 4.2: ANY with DO for %s validates, by one signed RRset',
  async (name) => {
    const { header, answer } = await dig(validatorPort, name, 'ANY');
    expect(header).toBe('NOERROR AD');
    const types = new Set(answer.map((line) => line.split(/\s+/)[3]));
    expect([types.size, types.has('RRSIG')]).toEqual([2, true]);
  },
);

it('4.2: ANY without DO is one HINFO', async () => {
  const { answer } = await dig(service.udp.port, 'signed.example', 'ANY', '+nodnssec', '+notcp');
  expect(answer.map((line) => line.split(/\s+/)[3])).toEqual(['HINFO']);
});

it.each([
  ['signed.example', 'A', 'NOERROR AD'],
  ['many.signed.example', 'TXT', 'NOERROR AD'],
  ['alias.signed.example', 'A', 'NOERROR AD'],
  ['mail.signed.example', 'AAAA', 'NOERROR AD'],
  ['none.signed.example', 'A', 'NXDOMAIN AD'],
  ['none.signed.example', 'ANY', 'NXDOMAIN AD'],
])('%s %s validates: %s', async (name, type, expected) => {
  expect((await dig(validatorPort, name, type)).header).toBe(expected);
});

it.each([FILMS, 'cdn.signed.example'])('a steered name of a signed zone is bogus: %s', async (name) => {
  expect((await dig(validatorPort, name, 'A')).header).toBe('SERVFAIL');
});

it.each([
  ['unbound', () => unboundPort],
  ['dnsmasq', () => dnsmasqPort],
] as const)('with the lines of catalog export, %s takes it, and validates the rest', async (_, port) => {
  for (const name of [FILMS, 'films.signed.example', 'cdn.signed.example']) {
    const { header, answer } = await dig(port(), name, 'A');
    expect([header, answer.map((line) => line.split(/\s+/).at(-1))]).toEqual(['NOERROR', [RELAY.us.address]]);
  }
  expect((await dig(port(), 'mail.signed.example', 'A')).header).toBe('NOERROR AD');
  expect((await dig(port(), 'none.signed.example', 'A')).header).toBe('NXDOMAIN AD');
});
