/** Names that need the resolver are answered while the main thread is busy: calls of the API and collections delay no DNS. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MmsgEngine, ResolverThread } from '../../src/dns/index.ts';
import { parseSocketAddress } from '../../src/net/index.ts';
import { parseUpstream } from '../../src/resolver/index.ts';
import { libc } from '../../src/sys/index.ts';
import { TestEdge } from '../dns/support.ts';
import type { ClientReport, ClientStart } from './busy-main-client.ts';

const CLIENT = '127.0.63.1';
/** The main thread does nothing else for this long. */
const BUSY_MS = 1500;

describe.skipIf(libc() === null)('while the main thread is busy', () => {
  const edge = new TestEdge();
  let client: Worker;
  let resolver: ResolverThread;
  let engine: MmsgEngine;
  let upstreamPort = 0;

  beforeAll(async () => {
    edge.register(CLIENT);
    client = new Worker(new URL('./busy-main-client.ts', import.meta.url));
    [upstreamPort] = (await once(client, 'message')) as [number];
    const fail = (error: unknown): never => {
      throw error;
    };
    resolver = await ResolverThread.start({
      // Over TCP, so that the UDP threads hand every miss to the resolver.
      upstreams: [parseUpstream(`tcp://127.0.0.1:${upstreamPort}`)],
      cache: edge.cache.handle(),
      nameSeed: edge.policy.seed,
      ttlLimits: { minTtlSeconds: 0, maxTtlSeconds: 3600 },
      hasForwarders: false,
      onQuirk: () => {},
      onError: fail,
      onFailure: fail,
    });
    const tables = {
      allowlist: edge.table.handle(),
      catalog: edge.steering.handle(),
      cache: edge.cache.handle(),
      rateLimit: edge.rateLimit,
      rateLimitOptions: edge.rateLimitOptions,
      policy: edge.policy,
      forward: resolver.forward,
    };
    resolver.serveEdge(tables);
    engine = await MmsgEngine.start({
      ...tables,
      addresses: [parseSocketAddress('127.0.63.2:0')!],
      workers: 1,
      deferred: resolver,
      onCounters: () => {},
      onFailure: fail,
    });
  });

  afterAll(async () => {
    await engine.stop();
    await resolver.idle();
    await engine.close();
    await resolver.stop();
    await client.terminate();
  });

  it('misses are answered', async () => {
    const start: ClientStart = {
      from: CLIENT,
      address: '127.0.63.2',
      port: engine.addresses[0].port,
      forMs: BUSY_MS,
    };
    const warm = once(client, 'message');
    client.postMessage({ ...start, forMs: 300 });
    await warm;
    const reported = once(client, 'message');
    client.postMessage(start);
    const until = performance.now() + BUSY_MS;
    while (performance.now() < until);
    const [report] = (await reported) as [ClientReport];
    expect(report.answered).toBe(report.sent);
    expect(report.sent).toBeGreaterThan(10);
    expect(report.slowestMs).toBeLessThan(BUSY_MS / 2);
  });
});
