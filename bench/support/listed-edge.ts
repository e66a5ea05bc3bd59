import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeList, putList, startRedis } from './feed-source.ts';
import type { Peer } from './peers.ts';
import { startServer } from './process.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface ListedEdgeOptions {
  /** As taskset has it. */
  readonly processor: number | string;
  /** Where the Redis that has its list runs. */
  readonly otherProcessor: number;
  /** Registered addresses besides its own. */
  readonly addresses: number;
  /** Those that the bench asks from, as numbers; 127.0.0.1 by default. */
  readonly own?: readonly number[];
  readonly relay: string;
  /** Listening address; 127.0.0.1 by default. */
  readonly address?: string;
  /** Upstream; none by default. */
  readonly upstream?: string;
  /** UDP threads; 1 by default. */
  readonly workers?: number;
  /** Further keys of the configuration's dns section, each after a comma. */
  readonly dns?: string;
  /** The catalog's files; the shipped ones by default. */
  readonly services?: string;
  /** A program, with its arguments, that runs what follows it. */
  readonly wrapper?: readonly string[];
  readonly nodeOptions?: readonly string[];
  /** Told each line of the log. */
  onEntry?(entry: Readonly<Record<string, unknown>>): void;
  /** A relay in the same process, and what it needs of the configuration besides. */
  readonly beside?: { readonly services: string; readonly upstream: string; readonly originPort: number };
}

export interface ListedEdge extends Peer {
  /** The port that carries TLS by its name; 0: it has no relay. */
  readonly relayPort: number;
  /** From the start of the process until it was ready. */
  readonly startSeconds: number;
  readonly metrics: string;
}

interface Ready {
  readonly msg: string;
  readonly udp: readonly string[];
  readonly metrics: readonly string[];
  readonly relay?: { readonly tls: readonly string[] };
}

/** An edge with a list of many addresses, which it has from Redis, with one region and the shipped catalog. */
export async function startListedEdge(options: ListedEdgeOptions): Promise<ListedEdge> {
  const redis = await startRedis(options.otherProcessor, { durable: false });
  const list = makeList(options.addresses, options.own);
  // The regions of the list's profiles are those that this edge has.
  const profiles = list.profiles.map((profile) => ({ ...profile, services: {} }));
  await putList(redis.url, { ...list, profiles });
  const directory = mkdtempSync(join(tmpdir(), 'bench-edge-'));
  const file = join(directory, 'config.yaml');
  writeFileSync(file, configuration(directory, redis.url, options));
  const startedAt = performance.now();
  let port = 0;
  let relayPort = 0;
  let metrics = '';
  const server = await startServer(
    options.processor,
    [
      ...(options.wrapper ?? []),
      ...[process.execPath, '--max-semi-space-size=8', ...(options.nodeOptions ?? [])],
      ...[join(ROOT, 'src/main.ts'), 'serve', '--config', file],
    ],
    (line) => {
      const entry = JSON.parse(line) as Ready;
      options.onEntry?.({ ...entry });
      if (entry.msg !== 'ready') return false;
      port = Number(entry.udp[0]!.split(':')[1]);
      metrics = entry.metrics[0]!;
      relayPort = Number(entry.relay?.tls[0]?.split(':')[1] ?? 0);
      return true;
    },
    { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mediastreamer') },
  );
  const startSeconds = (performance.now() - startedAt) / 1000;
  return {
    ...server,
    port,
    relayPort,
    startSeconds,
    metrics,
    async stop() {
      await server.stop();
      await redis.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

function configuration(directory: string, store: string, options: ListedEdgeOptions): string {
  const { relay, beside, address = '127.0.0.1', workers = 1, dns = '', services } = options;
  const shipped = services ?? join(ROOT, 'config/services/*.yaml');
  const limits = '{ connectionsPerSource: 9000, newPerSecond: 1000000, newBurst: 1000000 }';
  const carrying = `{ tls: ["127.0.0.1:0"], originPort: ${beside?.originPort}, allowPrivateOrigins: true, workers: 1, limits: ${limits} }`;
  return `
dataDir: ${JSON.stringify(join(directory, 'var'))}
roles: ${JSON.stringify(beside === undefined ? ['edge'] : ['edge', 'relay'])}
store: ${store}
dns: { udp: ["${address}:0"], tcp: ["${address}:0"], workers: ${workers}${dns} }
upstreams: [${JSON.stringify(beside?.upstream ?? options.upstream ?? 'udp://127.0.0.1:9')}]
catalog: { services: ${JSON.stringify(beside === undefined ? [shipped] : [shipped, beside.services])} }
regions: { us: { relays: [{ address: ${relay} }] }, gb: { relays: [{ address: ${relay} }] } }
defaultRegion: us
${beside === undefined ? '' : `relay: ${carrying}`}
metrics: { listen: ["127.0.0.1:0"] }
`;
}
