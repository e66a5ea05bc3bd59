import { afterEach, describe, expect, it } from 'vitest';
import {
  LoadUnavailableError,
  NO_SOURCES,
  type Progress,
  runLoad,
  sourcesOf,
  TRANSPORTS,
} from '../../src/load/index.ts';
import type { LoadPlan } from '../../src/load/plan.ts';
import { parseAddress, parsePrefix } from '../../src/net/index.ts';
import { monotonicClock } from '../../src/sys/index.ts';
import { planOf, type Seen, type ServerOptions, startServer, type TestServer } from './support.ts';

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function load(options: ServerOptions, changes: Partial<LoadPlan> = {}, endsEarly = false) {
  const server = await startServer(options);
  servers.push(server);
  const progress: Progress[] = [];
  const abort = new AbortController();
  const plan = planOf({
    target: { address: parseAddress(options.address ?? '127.0.0.1')!, port: server.port },
    transport: options.transport,
    ratePerSecond: 800,
    seconds: 0.5,
    // Long enough for a machine that is busy with other tests.
    timeoutMs: 5000,
    tls: { serverName: null, ca: server.certificate?.cert ?? null, verifies: true },
    ...changes,
  });
  const { summary } = await runLoad(plan, {
    now: monotonicClock(),
    random: () => 7,
    cpuSeconds: () => 0,
    onProgress: (one) => {
      progress.push(one);
      if (endsEarly) abort.abort();
    },
    signal: abort.signal,
  });
  servers.splice(servers.indexOf(server), 1);
  const seen: Seen = await server.stop();
  return { summary, progress, seen };
}

describe.each(TRANSPORTS.map((transport) => [transport] as const))('a load over %s', (transport) => {
  it('sends every due query and matches every answer', async () => {
    const { summary, seen } = await load({ transport });
    expect(summary.registered).toMatchObject({
      due: 400,
      sent: 400,
      answered: 400,
      lost: 0,
      unsent: 0,
      invalid: 0,
    });
    expect(summary.registered!.rcodes).toEqual({ NOERROR: 400 });
    expect(summary.registered!.latencyMs.p50).toBeGreaterThan(0);
    expect(seen.queries).toBe(400);
    expect(summary.generator).toMatchObject({ unexpected: 0, connectionFaults: 0 });
  });

  it('asks from registered and unregistered sources, and counts them apart', async () => {
    const { summary, seen } = await load(
      { transport, refused: '127.0.2.' },
      {
        sources: sourcesOf([parsePrefix('127.0.1.0/30')!], 4),
        unregistered: sourcesOf([parsePrefix('127.0.2.8/31')!], 4),
        unregisteredPercent: 25,
        connections: 8,
      },
    );
    expect(summary.registered).toMatchObject({ answered: 300, rcodes: { NOERROR: 300 } });
    expect(summary.unregistered).toMatchObject({ answered: 100, rcodes: { REFUSED: 100 } });
    expect([...seen.sources].sort()).toEqual([
      ...['127.0.1.0', '127.0.1.1', '127.0.1.2', '127.0.1.3'],
      ...['127.0.2.8', '127.0.2.9'],
    ]);
  });

  it('reaches a server by IPv6', async () => {
    const { summary, seen } = await load(
      { transport, address: '::1' },
      { sources: sourcesOf([parsePrefix('::1/128')!], 6), unregistered: NO_SOURCES(6), seconds: 0.25 },
    );
    expect(summary.registered).toMatchObject({ due: 200, answered: 200 });
    expect(seen).toEqual({ queries: 200, sources: ['::1'] });
  });

  it('warms up without counting', async () => {
    const { summary, seen } = await load({ transport }, { warmUpSeconds: 0.25, seconds: 0.25 });
    expect(summary.registered).toMatchObject({ due: 200, answered: 200 });
    expect(seen.queries).toBeGreaterThan(200);
  });
});

describe.each([['udp'], ['tcp']] as const)('a load over %s', (transport) => {
  it('counts queries without a timely answer as lost', async () => {
    const { summary } = await load({ transport, dropEvery: 4 }, { timeoutMs: 700, seconds: 0.25 });
    const { due, answered, lost } = summary.registered!;
    expect([due, answered + lost]).toEqual([200, 200]);
    expect(lost).toBeGreaterThanOrEqual(50);
  });

  it('can be ended early', async () => {
    const { summary } = await load({ transport }, { seconds: 30 }, true);
    const { due, sent, answered } = summary.registered!;
    expect(due).toBeLessThan(24_000);
    expect([sent, answered]).toEqual([due, due]);
  });
});

describe('a load', () => {
  it('reports progress each second', async () => {
    const { progress } = await load({ transport: 'udp' }, { ratePerSecond: 200, seconds: 2.5 });
    expect(progress.length).toBeGreaterThanOrEqual(2);
    expect(progress[0]!.phase).toBe('load');
    expect(progress[0]!.answersPerSecond).toBeGreaterThan(0);
  });

  it('counts an HTTP error status as invalid', async () => {
    const { summary } = await load({ transport: 'https', dropEvery: 4 }, { seconds: 0.25 });
    expect(summary.registered).toMatchObject({ answered: 150, invalid: 50, lossPercent: 25 });
  });

  it('rejects an untrusted certificate unless told otherwise', async () => {
    const tls = { serverName: null, ca: null, verifies: true };
    const { summary, seen } = await load({ transport: 'tls' }, { tls, seconds: 0.25 });
    expect(summary.registered).toMatchObject({ sent: 0, unsent: 200, lossPercent: 100 });
    expect([seen.queries, summary.generator.connectionFaults > 0]).toEqual([0, true]);
    const insecure = await load({ transport: 'tls' }, { tls: { ...tls, verifies: false }, seconds: 0.25 });
    expect(insecure.summary.registered).toMatchObject({ answered: 200 });
  });

  it('rejects source addresses that this machine does not have', async () => {
    const sources = sourcesOf([parsePrefix('192.0.2.0/31')!], 4);
    await expect(load({ transport: 'udp' }, { sources })).rejects.toThrow(LoadUnavailableError);
  });
});
