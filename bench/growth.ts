/**
 * The cost of a query as the work grows: 1,000 to 10 million addresses, 100 to 100,000 names in the catalog, 1 and 2
 * threads; an answer over UDP never costs a fifth more than with the least of each.
 *
 * decide is timed in this process, its sources and names drawn at random from all that there are, so that most look-ups
 * wait for memory; the sources of 64 queries are fetched together, as a UDP thread does with a batch. Over UDP the services
 * run side by side on processor 0 and are asked in turns from processor 1 (flood.c): as the list grows at 100,000 a second
 * by all who are on it, else by 256 clients as fast as can be. What counts is the server's CPU for a query that it decided
 * on. Loopback. Exits 1 if the claim is missed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AllowlistReader, AllowlistTable, Profiles } from '../src/allowlist/index.ts';
import { buildCatalog, CatalogView, loadServices, readServiceFiles, Steering } from '../src/catalog/index.ts';
import { decide, QueryState, RateLimiter, UDP_TRAITS } from '../src/dns/index.ts';
import { CounterBlock } from '../src/metrics/index.ts';
import { AnswerCache, CacheReader } from '../src/resolver/cache/index.ts';
import { nameFromText, RecordType, writeQuery } from '../src/wire/index.ts';
import { Flooder, type FloodPlan } from './support/flooder.ts';
import { type ListedEdge, startListedEdge } from './support/listed-edge.ts';
import { benchOptions } from './support/options.ts';
import { median, medianAndRange, table } from './support/pairs.ts';
import { requirePrograms } from './support/programs.ts';
import { type Curve, RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const CLAIM = 1.2;
const LISTS = [1_000, 100_000, 1_000_000, 10_000_000];
const CATALOGS = [100, 1_000, 10_000, 100_000];
const THREADS = [1, 2];
const NAMES_A_SERVICE = 1_000;
const SEED = 0x5eed;
const CALLS = 500_000;
const MESSAGES = 4096;
const BATCH = 64;
/** Sink that keeps the compiler from removing the prefetch. */
const kept = new Int32Array(1);
const RELAY = '192.0.2.10';
const CLIENT = '127.0.1.0';
const CLIENTS = Array.from({ length: 256 }, (_, i) => 0x7f00_0100 + i);
const BY_256 = { flood: { from: CLIENT, sources: CLIENTS.length, rate: -1 } };
/** First address of every list; the others follow. */
const FIRST_LISTED = 0x7f20_0000;
const LISTED_RATE = 100_000;
const SECONDS = 1;
const [SERVER_PROCESSOR, CLIENT_PROCESSOR] = [0, 1];

const values = benchOptions(import.meta.url, {
  only: ['decide,udp', 'parts or servers to run, by comma'],
  rounds: ['5', 'rounds'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const rounds = Number(values.rounds);
const parts = values.only.split(',');
const directory = mkdtempSync(join(tmpdir(), 'bench-growth-'));

/** Distinct for distinct indexes, and spread over all addresses: a bijection of 32 bits. */
function addressAt(index: number): number {
  const a = Math.imul(index ^ 0x5bd1e995, 0x9e3779b1);
  return Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) >>> 0;
}

const nameAt = (index: number): string => `title-${index}.films-${index % 97}.example`;

/** Writes a catalog of `count` names. @returns the pattern of its files */
function writeCatalog(names: number): string {
  const prefix = join(directory, `names-${names}-`);
  for (let first = 0; first < names; first += NAMES_A_SERVICE) {
    const count = Math.min(NAMES_A_SERVICE, names - first);
    const service = {
      service: `films-${first / NAMES_A_SERVICE}`,
      title: 'Films',
      regions: ['us', 'gb'],
      // netflix.com is what flood.c asks for.
      names: Array.from({ length: count }, (_, i) => (first + i === 0 ? 'netflix.com' : nameAt(first + i))),
    };
    // JSON is YAML.
    writeFileSync(`${prefix}${first / NAMES_A_SERVICE}.yaml`, JSON.stringify(service));
  }
  return `${prefix}*.yaml`;
}

/** State for `decide`, with an allowlist and a catalog of the given sizes. */
async function stateOf(addresses: number, names: number): Promise<QueryState> {
  const pattern = writeCatalog(names);
  const found = await readServiceFiles({ patterns: [pattern], directory, configFile: 'growth' });
  const { catalog } = buildCatalog({
    services: loadServices(found.files).services,
    regions: { us: { relays: [{ address: RELAY }] }, gb: { relays: [{ address: '192.0.2.20' }] } },
    defaultRegion: 'us',
    seed: SEED,
  });
  const steering = new Steering(catalog!);
  const profiles = new Profiles();
  profiles.onInterned((id, profile) => steering.setProfile(id, profile));
  const profile = profiles.intern({ region: 'us', services: {}, ipv4: true, ipv6: false });
  const allowlist = new AllowlistTable();
  const keys = new Uint8Array(4 * addresses);
  const view = new DataView(keys.buffer);
  for (let i = 0; i < addresses; i++) view.setUint32(4 * i, addressAt(i));
  allowlist.load(
    [{ family: 4, length: 32, count: addresses, keys, profiles: new Uint16Array(addresses) }],
    [profile],
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
      discovery: [],
      cookieSecrets: [new Uint8Array(16)],
    },
  );
}

function queryFor(name: string): Uint8Array {
  const wire = nameFromText(name)!;
  const fields = { id: 7, name: wire, nameLength: wire.length, type: RecordType.A, qclass: 1 };
  const out = new Uint8Array(512);
  const rest = { checkingDisabled: false, udpSize: 1232, dnssecOk: false };
  return out.subarray(0, writeQuery(out, { ...fields, ...rest }));
}

/** As BatchAnswerer does. */
function fetchSources({ allowlist }: QueryState, sources: Int32Array, first: number): void {
  let fetched = 0;
  for (let i = first; i < first + BATCH && i < CALLS; i++) fetched ^= allowlist.touch4(sources[i]!);
  kept[0] = fetched;
}

/** Time of one call in ns, per round; each call draws a source and a name at random. */
async function timeDecide(addresses: number, names: number): Promise<number[]> {
  const state = await stateOf(addresses, names);
  const messages = Array.from({ length: MESSAGES }, (_, i) =>
    queryFor(nameAt(1 + (addressAt(i) % (names - 1)))),
  );
  const sources = Int32Array.from({ length: CALLS }, (_, i) => addressAt(addressAt(i) % addresses));
  const slot = new Uint8Array(2048);
  state.source.family = 4;
  state.setTime(1000);
  const times: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) {
      if (i % BATCH === 0) fetchSources(state, sources, i);
      const message = messages[i & (MESSAGES - 1)]!;
      for (let k = 0; k < message.length; k++) slot[k] = message[k]!;
      state.source.words[0] = sources[i]!;
      decide(state, slot, message.length, UDP_TRAITS);
    }
    // The first one warms up.
    if (round >= 0) times.push(((performance.now() - start) * 1e6) / CALLS);
  }
  return times;
}

type Point = Curve['points'][number];
const curves: Curve[] = [];
const rows: string[][] = [];

function keep(group: string, label: string, xLabel: string, unit: string, points: readonly Point[]): number {
  curves.push({ group, label, xLabel, unit, points });
  const medians = points.map((point) => median(point.values));
  for (const { x, values: found } of points)
    rows.push([`${group}, ${x}`, `${medianAndRange(found)} ${unit}`]);
  return Math.max(...medians) / medians[0]!;
}

async function curveOf(xs: readonly number[], time: (x: number) => Promise<number[]>): Promise<Point[]> {
  const points: Point[] = [];
  for (const x of xs) points.push({ x, values: await time(x) });
  return points;
}

/** UDP queries that a server has decided on. */
async function decided(edge: ListedEdge): Promise<number> {
  const text = await (await fetch(`${edge.metrics}/metrics`)).text();
  const found = text.matchAll(/^mediastreamer_queries_total\{transport="udp",.*\} (\d+)$/gm);
  return [...found].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** CPU of each server for a query, in us, round after round, the servers in turns. */
async function timeUdp(
  xs: readonly number[],
  start: (x: number) => Promise<ListedEdge>,
  load: (x: number) => Pick<FloodPlan, 'clients' | 'flood'> = () => BY_256,
): Promise<Point[]> {
  const flooder = new Flooder(CLIENT_PROCESSOR);
  const edges: ListedEdge[] = [];
  const points = xs.map((x) => ({ x, values: [] as number[] }));
  try {
    for (const x of xs) edges.push(await start(x));
    for (let round = -1; round < rounds; round++) {
      for (const [i, edge] of edges.entries()) {
        const [countBefore, before] = [await decided(edge), edge.cpuSeconds()];
        await flooder.run({ port: edge.port, seconds: SECONDS, ...load(xs[i]!) });
        const cpuSeconds = edge.cpuSeconds() - before;
        const cost = (cpuSeconds * 1e6) / ((await decided(edge)) - countBefore);
        if (round >= 0) points[i]!.values.push(cost);
      }
    }
  } finally {
    await Promise.all(edges.map((edge) => edge.stop()));
    flooder.close();
  }
  return points;
}

const edgeWith = (options: {
  own?: readonly number[];
  services?: string;
  workers?: number;
}): Promise<ListedEdge> =>
  startListedEdge({
    processor: SERVER_PROCESSOR,
    otherProcessor: CLIENT_PROCESSOR,
    addresses: 1000,
    own: CLIENTS,
    relay: RELAY,
    dns: ', shield: { mode: off }',
    ...options,
  });

const growths: number[] = [];
try {
  if (parts.includes('decide')) {
    const byList = await curveOf(LISTS, (addresses) => timeDecide(addresses, 1000));
    keep('decide as the list grows', 'decide', 'registered addresses', 'ns', byList);
    const byNames = await curveOf(CATALOGS, (names) => timeDecide(1000, names));
    keep('decide as the catalog grows', 'decide', 'names in the catalog', 'ns', byNames);
  }
  if (parts.includes('udp')) {
    requirePrograms(['taskset', 'redis-server', 'cc']);
    const listed = (count: number): number[] => Array.from({ length: count }, (_, i) => FIRST_LISTED + i);
    const byList = await timeUdp(
      LISTS,
      (count) => edgeWith({ own: listed(count) }),
      (count) => ({ clients: { from: '127.32.0.0', sources: count, rate: LISTED_RATE } }),
    );
    growths.push(keep('UDP as the list grows', 'server CPU a query', 'registered addresses', 'us', byList));
    const byNames = await timeUdp(CATALOGS, (names) => edgeWith({ services: writeCatalog(names) }));
    growths.push(
      keep('UDP as the catalog grows', 'server CPU a query', 'names in the catalog', 'us', byNames),
    );
    const byThreads = await timeUdp(THREADS, (workers) => edgeWith({ workers }));
    growths.push(keep('UDP as threads are added', 'server CPU a query', 'UDP threads', 'us', byThreads));
  }
} finally {
  rmSync(directory, { recursive: true });
}
table([['', 'median (range)'], ...rows]);
if (growths.length > 0) {
  const shown = growths.map((growth) => growth.toFixed(2)).join(', ');
  process.stdout.write(
    `\nmost over the first, of lists, catalogs, threads: ${shown}; claimed: ${CLAIM} (loopback)\n`,
  );
}
writeResult(values.out, { bench: 'growth', options: { rounds, only: values.only }, curves });
if (growths.some((growth) => growth > CLAIM)) process.exitCode = 1;
