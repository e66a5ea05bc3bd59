import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeList, putList, startRedis } from './feed-source.ts';
import type { Peer } from './peers.ts';
import { startServer } from './process.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface ListedEdgeOptions {
  readonly processor: number;
  /** Where the Redis that has its list runs. */
  readonly otherProcessor: number;
  /** Registered addresses besides 127.0.0.1. */
  readonly addresses: number;
  readonly relay: string;
}

/** An edge with a list of many addresses, which it has from Redis, with one region and the shipped catalogue. */
export async function startListedEdge(options: ListedEdgeOptions): Promise<Peer> {
  const redis = await startRedis(options.otherProcessor, { durable: false });
  const list = makeList(options.addresses);
  // The regions of the list's profiles are those that this edge has.
  const profiles = list.profiles.map((profile) => ({ ...profile, services: {} }));
  await putList(redis.url, { ...list, profiles });
  const directory = mkdtempSync(join(tmpdir(), 'bench-edge-'));
  const file = join(directory, 'config.yaml');
  writeFileSync(file, configuration(directory, redis.url, options.relay));
  let port = 0;
  const server = await startServer(
    options.processor,
    [process.execPath, '--max-semi-space-size=2', join(ROOT, 'src/main.ts'), 'serve', '--config', file],
    (line) => {
      const entry = JSON.parse(line) as { msg: string; udp: string[] };
      if (entry.msg === 'ready') port = Number(entry.udp[0]!.split(':')[1]);
      return entry.msg === 'ready';
    },
    { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/mediastreamer') },
  );
  return {
    ...server,
    port,
    async stop() {
      await server.stop();
      await redis.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

function configuration(directory: string, store: string, relay: string): string {
  return `
dataDir: ${JSON.stringify(join(directory, 'var'))}
roles: [edge]
store: ${store}
dns: { udp: ["127.0.0.1:0"], tcp: ["127.0.0.1:0"], workers: 1 }
upstreams: ["udp://127.0.0.1:9"]
catalog: { services: [${JSON.stringify(join(ROOT, 'config/services/*.yaml'))}] }
regions: { us: { relays: [{ address: ${relay} }] }, gb: { relays: [{ address: ${relay} }] } }
defaultRegion: us
metrics: { listen: ["127.0.0.1:0"] }
`;
}
