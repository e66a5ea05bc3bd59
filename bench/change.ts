/**
 * Taking in 1 million registered addresses, and one more: a change is effective in under 5 ms, from the 2xx of its
 * registration (which is on disk then) to the first steered answer; beside it dnsdist with an ACL of as many.
 *
 * Ours with its embedded store, filled by `mediastreamer import`; dnsdist with setACLFromFile, and then, in turns with ours,
 * addACL for one address more, and setACLFromFile once more, as after a change of the file; both by its console, of
 * which a command that does nothing is measured beside. Server on processor 0, this bench on any. Loopback. Exits 1 if the
 * claim is missed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccountTransfer, writeTransfer } from '../src/registry/transfer/index.ts';
import { answers } from './support/answers.ts';
import { ADMIN_KEY, freePort } from './support/edge.ts';
import { FIRST_ADDRESS } from './support/feed-source.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { queryFor } from './support/prober.ts';
import { type Server, startServer, startUntil } from './support/process.ts';
import { findProgram, requirePrograms } from './support/programs.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const CLAIM_MS = 5;
const PROCESSOR = 0;
const ROOT = join(import.meta.dirname, '..');
const MAIN = join(ROOT, 'src/main.ts');
const NAME = 'netflix.com';
const PER_ACCOUNT = 10_000;
const DAY_MS = 86_400_000;
const AGAIN_MS = 1;
const LATE_MS = 30_000;

const values = benchOptions(import.meta.url, {
  addresses: ['1000000', 'registered addresses'],
  changes: ['20', 'registrations measured'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const [count, changes] = [values.addresses, values.changes].map(Number) as [number, number];
requirePrograms(['taskset', 'dnsdist']);
const directory = mkdtempSync(join(tmpdir(), 'bench-change-'));

const textOf = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');

/** Accounts with ten thousand addresses each. */
async function* accounts(nowMs: number): AsyncGenerator<AccountTransfer> {
  for (let first = 0; first < count; first += PER_ACCOUNT) {
    const id = `acc_${createHash('sha256').update(String(first)).digest('hex').slice(0, 24)}`;
    yield {
      id,
      region: 'us',
      perAccount: PER_ACCOUNT,
      suspended: false,
      services: {},
      createdAtMs: nowMs,
      secretHash: createHash('sha256').update(id).digest('hex'),
      registrations: Array.from({ length: Math.min(PER_ACCOUNT, count - first) }, (_, i) => ({
        id: `reg_${(first + i).toString(16).padStart(24, '0')}`,
        label: null,
        source: 'api' as const,
        prefix: `${textOf(FIRST_ADDRESS + first + i)}/32`,
        renewal: first + i + 1,
        createdAtMs: nowMs,
        expiresAtMs: nowMs + 90 * DAY_MS,
      })),
      updateTokens: [],
      hostnames: [],
      passes: [],
      marks: [],
    };
  }
}

interface Ours extends Server {
  readonly port: number;
  readonly api: string;
  readonly readySeconds: number;
}

async function startOurs(): Promise<Ours> {
  const file = join(directory, 'config.yaml');
  writeFileSync(
    file,
    `
dataDir: ${JSON.stringify(join(directory, 'var'))}
dns: { udp: ["127.0.0.1:0"], tcp: [], workers: 1 }
upstreams: ["udp://127.0.0.1:9"]
catalog: { services: [${JSON.stringify(join(ROOT, 'config/services/*.yaml'))}] }
regions: { us: { relays: [{ address: 192.0.2.10 }] }, gb: { relays: [{ address: 192.0.2.20 }] } }
defaultRegion: us
registration: { allowPrivate: true, perAccount: ${PER_ACCOUNT} }
control: { listen: ["127.0.0.1:0"], adminKey: ${ADMIN_KEY} }
metrics: { listen: ["127.0.0.1:0"] }
`,
  );
  const transfer = join(directory, 'accounts.jsonl');
  await writeTransfer(transfer, accounts(Date.now()));
  const importedAt = performance.now();
  execFileSync(process.execPath, [MAIN, 'import', '--config', file, '--file', transfer], { stdio: 'ignore' });
  process.stdout.write(`imported in ${((performance.now() - importedAt) / 1000).toFixed(1)} s\n`);
  const startedAt = performance.now();
  let ready: { udp: string[]; control: string[] } | null = null;
  const command = [process.execPath, '--max-semi-space-size=2', MAIN, 'serve', '--config', file];
  const server = await startServer(
    PROCESSOR,
    command,
    (line) => {
      const entry = JSON.parse(line) as { msg: string; udp: string[]; control: string[] };
      if (entry.msg === 'ready') ready = entry;
      return entry.msg === 'ready';
    },
    { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mediastreamer') },
  );
  const readySeconds = (performance.now() - startedAt) / 1000;
  const port = Number(ready!.udp[0]!.split(':')[1]);
  return { ...server, port, api: ready!.control[0]!, readySeconds };
}

interface Theirs extends Server {
  readonly port: number;
  readonly readySeconds: number;
  /** Runs a command in its console. */
  say(command: string): void;
}

async function startTheirs(): Promise<Theirs> {
  const [port, console] = [await freePort(), await freePort()];
  const acl = join(directory, 'acl');
  const lines = Array.from({ length: count }, (_, i) => textOf(FIRST_ADDRESS + i));
  writeFileSync(acl, ['127.0.0.1', ...lines, ''].join('\n'));
  // The console's client reads its configuration, too: it gets one without the list.
  const client = join(directory, 'console.conf');
  const access = `controlSocket('127.0.0.1:${console}')\nsetKey('${randomBytes(32).toString('base64')}')\n`;
  writeFileSync(client, access);
  const config = join(directory, 'dnsdist.conf');
  writeFileSync(
    config,
    `${access}setLocal('127.0.0.1:${port}')
setACLFromFile('${acl}')
setSecurityPollSuffix('')
newServer({address='127.0.0.1:9', healthCheckMode='up'})
names = newSuffixMatchNode()
names:add(newDNSName('${NAME}.'))
addAction(SuffixMatchNodeRule(names), SpoofAction('192.0.2.10', {ttl=60}))
`,
  );
  const program = findProgram('dnsdist')!;
  const startedAt = performance.now();
  const command = [program, '--supervised', '--disable-syslog', '-C', config];
  const server = await startUntil(PROCESSOR, command, () => answers(port, queryFor(NAME, 1)));
  const readySeconds = (performance.now() - startedAt) / 1000;
  const say = (text: string): void => {
    const { status, stderr } = spawnSync(program, ['-C', client, '-e', text], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`dnsdist's console: ${stderr}`);
  };
  return { ...server, port, readySeconds, say };
}

/** A socket at an address, and the time of its first relay answer. */
async function asker(address: string): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, address);
  await once(socket, 'listening');
  return socket;
}

/** Asks until the answer is a relay's address. @returns ms */
async function untilSteered(socket: Socket, port: number, startedAt: number): Promise<number> {
  const query = queryFor(NAME, 7);
  const send = (): void => socket.send(query, port, '127.0.0.1');
  const again = setInterval(send, AGAIN_MS);
  try {
    return await new Promise<number>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('an address was never served')), LATE_MS);
      socket.on('message', (reply) => {
        if ((reply[3]! & 15) !== 0 || reply.readUInt16BE(6) === 0) return;
        clearTimeout(late);
        resolve(performance.now() - startedAt);
      });
      send();
    });
  } finally {
    clearInterval(again);
    socket.close();
  }
}

const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
async function post(url: string, body: object): Promise<{ id: string }> {
  const reply = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = (await reply.json()) as { id: string };
  if (reply.status !== 201) throw new Error(`${url}: ${reply.status}`);
  return answer;
}

const ours = await startOurs();
const theirs = await startTheirs();
const megabytes = (server: Server): number => server.rssBytes() / 1e6;
const rss = { ours: megabytes(ours), theirs: megabytes(theirs) };
const times = {
  registered: [] as number[],
  whole: [] as number[],
  addAcl: [] as number[],
  reload: [] as number[],
  console: [] as number[],
};
try {
  const { id } = await post(`${ours.api}/v1/accounts`, { perAccount: PER_ACCOUNT });
  for (let change = 0; change < changes; change++) {
    const address = `127.3.${change >> 8}.${change & 255}`;
    const socket = await asker(address);
    const calledAt = performance.now();
    await post(`${ours.api}/v1/accounts/${id}/registrations`, { address });
    const answeredAt = performance.now();
    times.registered.push(await untilSteered(socket, ours.port, answeredAt));
    times.whole.push(performance.now() - calledAt);
    // Each takes seconds, so only the first rounds run them.
    if (change >= 5) continue;
    const noneAt = performance.now();
    theirs.say('showVersion()');
    times.console.push(performance.now() - noneAt);
    const added = await asker(address);
    const addedAt = performance.now();
    theirs.say(`addACL('${address}/32')`);
    times.addAcl.push(await untilSteered(added, theirs.port, addedAt));
    const reloadedAt = performance.now();
    theirs.say(`setACLFromFile('${join(directory, 'acl')}')`);
    times.reload.push(performance.now() - reloadedAt);
  }
} finally {
  await Promise.all([ours.stop(), theirs.stop()]);
  rmSync(directory, { recursive: true });
}
const ms = (list: readonly number[]): string => `${medianAndRange(list, 1)} ms`;
table([
  [`${count} addresses (loopback)`, 'mediastreamer', 'dnsdist'],
  [
    'from the start until it answers',
    `${ours.readySeconds.toFixed(1)} s`,
    `${theirs.readySeconds.toFixed(1)} s`,
  ],
  ['RSS then', `${rss.ours.toFixed(0)} MB`, `${rss.theirs.toFixed(0)} MB`],
  ['one more: from its 2xx to the first steered answer', ms(times.registered), ''],
  ['one more: from the call, or addACL, to the first steered answer', ms(times.whole), ms(times.addAcl)],
  ['the list read again (setACLFromFile)', 'not needed', ms(times.reload)],
  ['a command that does nothing', '', ms(times.console)],
]);
process.stdout.write(`\n2xx to the first steered answer; claimed: under ${CLAIM_MS} ms (loopback)\n`);
const series = (label: string, list: readonly number[]) => ({
  group: `One address more, of ${count}`,
  label,
  unit: 'ms',
  values: list,
});
writeResult(values.out, {
  bench: 'change',
  options: { addresses: count, changes, rssMb: Math.round(rss.ours), dnsdistRssMb: Math.round(rss.theirs) },
  series: [
    series('ours, from the 2xx', times.registered),
    series('ours, from the call', times.whole),
    series('dnsdist, addACL', times.addAcl),
    series('dnsdist, setACLFromFile', times.reload),
  ],
});
if (median(times.registered) >= CLAIM_MS) process.exitCode = 1;
