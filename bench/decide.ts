/**
 * `decide` on a registered source's catalog query takes under 1 us, and a UDP thread collects no garbage over
 * 10 million mixed queries: steered, cached, local, refused, malformed.
 *
 * The first figure is taken in this process; the second from the whole service under dnsperf, run with
 * --trace-gc. Exits 1 if a claim is missed.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { AllowlistReader, AllowlistTable, Profiles } from '../src/allowlist/index.ts';
import { buildCatalog, CatalogView, loadServices, readServiceFiles, Steering } from '../src/catalog/index.ts';
import { decide, QueryState, RateLimiter, UDP_TRAITS } from '../src/dns/index.ts';
import { CounterBlock } from '../src/metrics/index.ts';
import { parsePrefix } from '../src/net/index.ts';
import { AnswerCache, CacheReader } from '../src/resolver/cache/index.ts';
import { nameFromText, RecordType, writeQuery } from '../src/wire/index.ts';
import { dnsperf } from './support/dnsperf.ts';
import { startEdge } from './support/edge.ts';
import { benchOptions } from './support/options.ts';
import { median, table } from './support/pairs.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const CLAIM_NS = 1000;
const ROUNDS = 9;
const CALLS = 1_000_000;
const SEED = 0x5eed;

const values = benchOptions(import.meta.url, {
  queries: ['10000000', 'queries to the UDP thread'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});

async function state(): Promise<QueryState> {
  const directory = new URL('../config/', import.meta.url).pathname;
  const found = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory,
    configFile: 'default.yaml',
  });
  const { catalog } = buildCatalog({
    services: loadServices(found.files).services,
    regions: { us: { relays: [{ address: '192.0.2.10' }] }, gb: { relays: [{ address: '192.0.2.20' }] } },
    defaultRegion: 'us',
    seed: SEED,
  });
  const steering = new Steering(catalog!);
  const profiles = new Profiles();
  profiles.onInterned((id, profile) => steering.setProfile(id, profile));
  const allowlist = new AllowlistTable();
  allowlist.set(
    parsePrefix('127.0.0.1/32')!,
    profiles.intern({ region: 'us', services: {}, ipv4: true, ipv6: false }),
  );
  return new QueryState(
    {
      allowlist: new AllowlistReader(allowlist.handle()),
      catalog: new CatalogView(steering.handle()),
      cache: new CacheReader(new AnswerCache({ bytes: 1 << 20 }).handle()),
      rateLimiter: new RateLimiter(RateLimiter.allocate(), { perSecond: 20, burst: 100 }, SEED),
      counters: new CounterBlock(),
    },
    {
      seed: SEED,
      answerTtlSeconds: 60,
      unregistered: 'refuse',
      cookieSecrets: [new Uint8Array(16)],
      discovery: [],
    },
  );
}

function query(name: string, type: number): Uint8Array {
  const wire = nameFromText(name)!;
  const fields = { id: 7, name: wire, nameLength: wire.length, type, qclass: 1, checkingDisabled: false };
  const out = new Uint8Array(512);
  return out.subarray(0, writeQuery(out, { ...fields, udpSize: 1232, dnssecOk: false }));
}

/** Time of one call in ns, per round, including the copy of the query into its slot. */
function timesOf(s: QueryState, message: Uint8Array): number[] {
  const slot = new Uint8Array(2048);
  const { length } = message;
  s.source.family = 4;
  s.source.words[0] = 0x7f000001;
  s.setTime(1000);
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) {
      for (let k = 0; k < length; k++) slot[k] = message[k]!;
      decide(s, slot, length, UDP_TRAITS);
    }
    rounds.push(((performance.now() - start) * 1e6) / CALLS);
  }
  return rounds;
}

/** An upstream that answers everything with one address, to fill the cache. */
async function fixedUpstream(): Promise<{ url: string; close(): void }> {
  const socket = createSocket('udp4');
  const answer = Buffer.from('c00c000100010000ffff0004c6336401', 'hex');
  socket.on('message', (message, peer) => {
    let end = 12;
    while (message[end] !== 0) end += message[end]! + 1;
    const reply = Buffer.concat([message.subarray(0, end + 5), answer]);
    reply[2] = 0x81;
    reply[3] = 0x80;
    reply.writeUInt32BE(0x00010001, 4);
    reply.writeUInt32BE(0, 8);
    socket.send(reply, peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { url: `udp://127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

/**
 * Collections of young garbage during the load, by isolate; the first isolate to collect any is the main
 * thread's. Full ones are left out: V8 does them in threads that idle.
 */
async function collections(
  queries: number,
): Promise<{ answers: number; perSecond: number; inThreads: number }> {
  const upstream = await fixedUpstream();
  const byIsolate = new Map<string, number>();
  let main: string | null = null;
  const edge = await startEdge({
    processor: 0,
    upstream: upstream.url,
    nodeOptions: ['--trace-gc'],
    onLine: (line) => {
      const isolate = /^\[\d+:(0x[0-9a-f]+)\].* Scavenge/.exec(line)?.[1];
      if (isolate === undefined) return;
      main ??= isolate;
      byIsolate.set(isolate, (byIsolate.get(isolate) ?? 0) + 1);
    },
  });
  const names = ['netflix.com A', 'www.hulu.com AAAA', 'disneyplus.com HTTPS', 'localhost A', 'x.invalid A'];
  const cached = Array.from({ length: 200 }, (_, i) => `name-${i}.example.net A`);
  const load = { processor: 1, port: edge.port, queries: [...names, ...cached, 'example.com ANY'] };
  await dnsperf({ ...load, seconds: 3 });
  const rate = (await dnsperf({ ...load, seconds: 2 })).answersPerSecond;
  byIsolate.clear();
  const refused = dnsperf({ ...load, source: '127.0.0.9', seconds: queries / rate, rate: 2000 });
  const { answers, answersPerSecond } = await dnsperf({ ...load, seconds: queries / rate });
  await refused;
  await edge.stop();
  upstream.close();
  const inThreads = [...byIsolate].reduce(
    (sum, [isolate, count]) => (isolate === main ? sum : sum + count),
    0,
  );
  return { answers, perSecond: answersPerSecond, inThreads };
}

const s = await state();
const shapes: [string, Uint8Array][] = [
  ['catalog A, steered', query('www.netflix.com', RecordType.A)],
  ['catalog AAAA, NODATA', query('www.netflix.com', RecordType.AAAA)],
  ['other name, a miss', query('www.example.com', RecordType.A)],
  ['special-use name', query('printer.home.arpa', RecordType.A)],
];
const figures = shapes.map(([what, message]) => ({ what, times: timesOf(s, message) }));
table([['decide', 'ns'], ...figures.map(({ what, times }) => [what, median(times).toFixed(0)])]);
const gc = await collections(Number(values.queries));
process.stdout.write(
  `\n${gc.answers} mixed queries to the service at ${Math.round(gc.perSecond)}/s: ` +
    `${gc.inThreads} collections in its threads but the main one (loopback)\n`,
);
writeResult(values.out, {
  bench: 'decide',
  options: { queries: gc.answers, collections: gc.inThreads },
  series: figures.map(({ what, times }) => ({ group: 'decide', label: what, unit: 'ns', values: times })),
});
if (median(figures[0]!.times) >= CLAIM_NS || gc.inThreads > 0) process.exitCode = 1;
