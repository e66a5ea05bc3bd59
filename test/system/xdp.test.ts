/**
 * The engine on the rings of a network interface: the real program on one end of a veth pair, clients on the other,
 * in a network namespace. Where the system creates neither, each test checks the error instead.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { encodeQuery } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import {
  FILMS,
  NODE,
  RELAY,
  RunningService,
  runProgram,
  type StartOptions,
  temporaryFolder,
  writeConfig,
} from '../support/service.ts';
import { toolFolders } from '../support/tools.ts';

const PREFIX = 'msxdp';
const NAMESPACE = `${PREFIX}${process.pid}`;
const SERVER_END = `msx${process.pid}`;
const CLIENT_END = 'eth0';
/** Private networks, which may register, of this process's own: several runs may be under way on a machine. */
const NETWORK = `10.${128 + ((process.pid >> 8) & 63)}.${process.pid & 255}`;
const NETWORK6 = `fd77:${(process.pid & 0xffff).toString(16)}`;
const SERVER = `${NETWORK}.1`;
const CLIENT = `${NETWORK}.2`;
const STRANGER = `${NETWORK}.9`;
const SERVER6 = `${NETWORK6}::1`;
const CLIENT6 = `${NETWORK6}::2`;
const env = { ...process.env, PATH: toolFolders(process.env['PATH'] ?? '').join(':') };

function run(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(command, args, { env, encoding: 'utf8' });
}

/** Removes what a killed run has left: its interfaces go with its namespace. */
function removeStale(): void {
  for (const line of run('ip', 'netns', 'list').stdout.split('\n')) {
    const name = line.split(' ')[0]!;
    if (name.startsWith(PREFIX) && !existsSync(`/proc/${name.slice(PREFIX.length)}`)) {
      run('ip', 'netns', 'delete', name);
    }
  }
}

/** Creates the pair and the namespace. @returns false if the system refuses */
function makeNetwork(): boolean {
  removeStale();
  const steps = [
    ['netns', 'add', NAMESPACE],
    ['link', 'add', SERVER_END, 'type', 'veth', 'peer', 'name', CLIENT_END, 'netns', NAMESPACE],
    ['address', 'add', `${SERVER}/24`, 'dev', SERVER_END],
    ['address', 'add', `${SERVER6}/64`, 'dev', SERVER_END, 'nodad'],
    ['link', 'set', SERVER_END, 'up'],
    ['-n', NAMESPACE, 'address', 'add', `${CLIENT}/24`, 'dev', CLIENT_END],
    ['-n', NAMESPACE, 'address', 'add', `${STRANGER}/24`, 'dev', CLIENT_END],
    ['-n', NAMESPACE, 'address', 'add', `${CLIENT6}/64`, 'dev', CLIENT_END, 'nodad'],
    ['-n', NAMESPACE, 'link', 'set', CLIENT_END, 'up'],
  ];
  return steps.every((step) => run('ip', ...step).status === 0);
}

const hasNetwork = makeNetwork();
let upstream: FakeUpstream;

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = answer();
});
afterAll(async () => {
  await upstream.stop();
  run('ip', 'netns', 'delete', NAMESPACE);
});

/** A service of the last test may still hold the interface. */
const services: RunningService[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop('SIGKILL')));
});

async function serve(options: StartOptions): Promise<RunningService> {
  const service = await RunningService.start(options);
  services.push(service);
  return service;
}

const dns = (fields: object = {}) => ({
  udp: [`${SERVER}:0`, `[${SERVER6}]:0`],
  tcp: [`${SERVER}:0`],
  bootstrapNames: ['portal.example.net'],
  engine: 'af-xdp',
  xdp: { interface: SERVER_END, mode: 'generic' },
  ...fields,
});

const execute = promisify(execFile);

/** Runs dig at the other end, beside this process, in which the upstream runs. */
async function dig(
  at: { host: string; port: number },
  ...args: string[]
): Promise<{ rcode: string; answers: string[] }> {
  const command = [
    'netns',
    'exec',
    NAMESPACE,
    'dig',
    `@${at.host}`,
    '-p',
    `${at.port}`,
    '+tries=2',
    '+time=5',
  ];
  const { stdout } = await execute('ip', [...command, ...args], { env }).catch((error) => error);
  const rcode = /status: (\w+)/.exec(stdout)?.[1] ?? 'NOTHING';
  const section = /;; ANSWER SECTION:\n([\s\S]*?)\n\n/.exec(stdout)?.[1] ?? '';
  return { rcode, answers: section.split('\n').flatMap((line) => line.split('\t').at(-1) || []) };
}

/** Sends a query so long that it is fragmented. @returns number of answers */
async function askInFragments({ host, port }: { host: string; port: number }): Promise<number> {
  const hex = Buffer.concat([encodeQuery({ name: FILMS }), Buffer.alloc(3000)]).toString('hex');
  const code = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (message) => {
      console.log(message.readUInt16BE(6));
      socket.close();
    });
    socket.send(Buffer.from('${hex}', 'hex'), ${port}, '${host}');
    setTimeout(() => process.exit(1), 10_000).unref();`;
  const { stdout } = await execute('ip', ['netns', 'exec', NAMESPACE, NODE, '-e', code], { env });
  return Number(stdout);
}

/** True if the interface has a program. */
const hasProgram = (): boolean => /\bprog\/xdp\b/.test(run('ip', 'link', 'show', SERVER_END).stdout);

async function counted(service: RunningService, metric: string): Promise<number> {
  const line = (await service.metrics())
    .split('\n')
    .find((text) => text.startsWith(`mediastreamer_${metric} `));
  return Number(line?.split(' ').at(-1));
}

/** A test for systems that create interfaces; elsewhere the start must say what is missing. */
function promises(what: string, body: () => Promise<void>): void {
  it(what, async () => {
    if (hasNetwork) return body();
    const { code, stderr, stdout } = await start({ udp: ['127.0.0.1:0'], xdp: { interface: 'nothing' } });
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('there is no network interface "nothing"');
  });
}

/** Starts a service that is expected to fail. */
function start(fields: object, wrapper: readonly string[] = []) {
  const file = writeConfig(temporaryFolder(), { dns: dns(fields) });
  return runProgram(['serve', '--config', file], { wrapper });
}

describe('the engine on the rings of an interface', () => {
  promises('serves it as sockets do, beside the sockets, and leaves it as it was', async () => {
    const service = await serve({ config: { dns: dns(), upstreams: [upstream.url] } });
    const { admin } = service;
    const { id } = await admin.make('/v1/accounts');
    for (const address of [CLIENT, CLIENT6])
      await admin.make(`/v1/accounts/${id}/registrations`, { address });
    expect(service.engine).toBe('af-xdp');
    expect(hasProgram()).toBe(true);

    // Answered by decide.
    expect(await dig(service.udp, FILMS)).toEqual({ rcode: 'NOERROR', answers: [RELAY.us.address] });
    expect(await dig(service.udp6, FILMS, 'AAAA')).toEqual({
      rcode: 'NOERROR',
      answers: [RELAY.us.address6],
    });
    expect(await dig(service.udp, FILMS, '-b', STRANGER)).toEqual({ rcode: 'REFUSED', answers: [] });
    // Answered by an upstream, through a socket.
    const before = upstream.queries.length;
    expect((await dig(service.udp, 'other.example.com')).rcode).toBe('NOERROR');
    expect((await dig(service.udp6, 'another.example.com')).rcode).toBe('NOERROR');
    expect((await dig(service.udp, 'portal.example.net', '-b', STRANGER)).rcode).toBe('NOERROR');
    expect(upstream.queries.length).toBe(before + 3);
    // Answered from the cache.
    expect((await dig(service.udp6, 'other.example.com')).rcode).toBe('NOERROR');
    expect(upstream.queries.length).toBe(before + 3);
    expect(await counted(service, 'xdp_frames_total{result="taken"}')).toBe(7);
    expect(await counted(service, `xdp_queues{interface="${SERVER_END}",mode="generic"}`)).toBe(1);
    expect(await counted(service, 'xdp_drops_total{reason="ring_full"}')).toBe(0);

    // Passed by the program: TCP, a fragmented query, another port.
    expect((await dig(service.tcp, FILMS, '+tcp')).answers).toEqual([RELAY.us.address]);
    expect(await askInFragments(service.udp)).toBe(1);
    const other = createSocket('udp4');
    other.on('message', (message, peer) => {
      message[2]! |= 0x80;
      other.send(message, peer.port, peer.address);
    });
    other.bind(0, SERVER);
    await once(other, 'listening');
    const elsewhere = { host: SERVER, port: other.address().port };
    expect((await dig(elsewhere, 'x.example')).rcode).toBe('NOERROR');
    other.close();
    expect(await counted(service, 'xdp_frames_total{result="taken"}')).toBe(7);

    // An interface takes one program at a time.
    const second = await start({ xdp: { interface: SERVER_END, mode: 'generic' } });
    expect([second.code, second.stdout + second.stderr]).toEqual([
      1,
      expect.stringContaining(`the interface "${SERVER_END}" has another XDP program`),
    ]);

    expect((await service.stop()).code).toBe(0);
    expect(hasProgram()).toBe(false);
  });

  promises(
    'needs few rights, serves all addresses of its interface, and goes away with a crash',
    async () => {
      const capabilities = '-all,+net_admin,+net_raw,+bpf,+ipc_lock,+dac_override';
      const service = await serve({
        wrapper: ['setpriv', `--bounding-set=${capabilities}`],
        config: {
          dns: dns({ udp: ['0.0.0.0:0', '[::]:0'], xdp: { interface: SERVER_END } }),
          upstreams: [upstream.url],
        },
      });
      const { id } = await service.admin.make('/v1/accounts');
      for (const address of [CLIENT, CLIENT6])
        await service.admin.make(`/v1/accounts/${id}/registrations`, { address });
      const four = { host: SERVER, port: service.udp.port };
      const six = { host: SERVER6, port: service.udp6.port };
      expect((await dig(four, FILMS)).answers).toEqual([RELAY.us.address]);
      expect((await dig(six, 'third.example.com')).rcode).toBe('NOERROR');
      expect((await dig(four, 'fourth.example.com')).rcode).toBe('NOERROR');
      expect(await counted(service, 'xdp_frames_total{result="taken"}')).toBe(3);
      await service.stop('SIGKILL');
      expect(hasProgram()).toBe(false);
    },
  );

  promises('ends, for all to see, with its interface', async () => {
    const name = `msy${process.pid}`;
    const address = `10.${192 + ((process.pid >> 8) & 63)}.${process.pid & 255}.1`;
    run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
    run('ip', 'link', 'set', `${name}p`, 'up');
    run('ip', 'address', 'add', `${address}/24`, 'dev', name);
    run('ip', 'link', 'set', name, 'up');
    const fields = { udp: [`${address}:0`], tcp: ['127.0.0.1:0'], xdp: { interface: name } };
    const service = await serve({ config: { dns: dns(fields) } });
    run('ip', 'link', 'delete', name);
    expect((await service.exited).code).toBe(70);
    expect(service.output).toContain('src/sys/xdp/batch.ts');
  });

  promises('says at the start what is missing', async () => {
    const without = ['setpriv', '--bounding-set=-bpf,-sys_admin'];
    const said = await Promise.all([
      start({ xdp: { interface: 'msx-nothing' } }),
      start({ udp: ['127.0.0.1:0'] }),
      start({}, without),
    ]);
    expect(said.map(({ code }) => code)).toEqual([1, 1, 1]);
    const [unknown, elsewhere, refused] = said.map(({ stdout, stderr }) => stdout + stderr);
    expect(unknown).toContain('there is no network interface "msx-nothing"');
    expect(elsewhere).toContain('has none of the addresses that are listened on (127.0.0.1:');
    expect(refused).toMatch(/dns.engine: af-xdp is not available: .*CAP_BPF/);
    expect(hasProgram()).toBe(false);
  });
});
