import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { PORTS } from '../../../../src/dns/udp/forward/upstream-sockets.ts';
import { Counter } from '../../../../src/metrics/index.ts';
import { answer, delay, drop, FakeUpstream, refuse, truncate } from '../../../support/fake-upstream.ts';
import { until } from '../../../support/until.ts';
import { ADDRESS, upstreamCases } from '../../../support/upstream-cases.ts';
import { closeAll, Peer } from '../../../sys/support.ts';
import { CLIENT, ForwardEdge, type ForwardEdgeOptions, shown } from './forward-edge.ts';

let upstream: FakeUpstream;
let edge: ForwardEdge | undefined;

beforeEach(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.2' });
});

afterEach(async () => {
  expect(edge?.failures ?? []).toEqual([]);
  await edge?.stop();
  edge = undefined;
  await upstream.stop();
  closeAll();
});

async function start(options: Partial<ForwardEdgeOptions> = {}): Promise<ForwardEdge> {
  edge = await ForwardEdge.start({ upstreams: [upstream.url], ...options });
  return edge;
}

describe('one upstream, asked by a UDP thread: its behavior, the answer, and what it was asked', () => {
  test.each(upstreamCases())('$title', async ({ udp, tcp, shown: expected, asked, forwarded = asked }) => {
    upstream.udp = udp;
    if (tcp !== undefined) upstream.tcp = tcp;
    const edge = await start();
    expect(shown(await edge.ask('www.example'))).toBe(expected);
    expect([upstream.over('udp').length, upstream.over('tcp').length]).toEqual(forwarded);
  });
});

describe('the plain case', () => {
  it('needs no resolver, and the next client gets the answer from the cache', async () => {
    const edge = await start();
    expect(shown(await edge.ask('www.example'))).toBe(ADDRESS);
    expect(shown(await edge.ask('WWW.example'))).toBe(ADDRESS);
    expect([upstream.queries.length, edge.handedOver]).toEqual([1, 0]);
  });

  it('asks once, however many clients wait, in one thread or two', async () => {
    upstream.udp = delay(50);
    const edge = await start({ workers: 2, timeouts: { tryMs: 8000, minTryMs: 4000, overallMs: 9000 } });
    // The kernel spreads source ports over the threads.
    const clients = await Promise.all(Array.from({ length: 40 }, () => Peer.on(CLIENT)));
    const replies = await Promise.all(clients.map((client) => edge.ask('www.example', 'A', {}, client)));
    expect(replies.map(shown)).toEqual(Array(40).fill(ADDRESS));
    expect([upstream.queries.length, edge.handedOver]).toEqual([1, 0]);
  });

  it('answers every client in its own way: case of the name, EDNS, size', async () => {
    upstream.udp = delay(30);
    const edge = await start();
    const [plain, upper, edns] = await Promise.all([
      edge.ask('www.example'),
      edge.ask('WWW.EXAMPLE'),
      edge.ask('www.example', 'A', { opt: {} }),
    ]);
    expect(plain.bytes.includes('www')).toBe(true);
    expect(upper.bytes.includes('WWW')).toBe(true);
    expect([plain.hasOpt, edns.hasOpt]).toEqual([false, true]);
    expect(upstream.queries).toHaveLength(1);
  });

  it('loses no answer while packets of clients and upstreams arrive in the same turn', async () => {
    upstream.udp = delay(3);
    const edge = await start();
    const clients = await Promise.all(Array.from({ length: 50 }, () => Peer.on(CLIENT)));
    const asked = clients.map(async (client, number) => {
      for (let i = 0; i < 60; i++) {
        const name = `n${number}-${i}.example`;
        expect(shown(await edge.ask(name, 'A', {}, client))).toBe(ADDRESS);
      }
    });
    await Promise.all(asked);
    expect([upstream.queries.length, edge.handedOver]).toEqual([3000, 0]);
  });

  it('asks for another type, DO and CD as another question', async () => {
    upstream.udp = delay(20);
    const edge = await start();
    await Promise.all([
      edge.ask('www.example'),
      edge.ask('www.example', 'AAAA'),
      edge.ask('www.example', 'A', { opt: { flags: 0x8000 } }),
      edge.ask('www.example', 'A', { flags: 0x110 }),
    ]);
    expect(upstream.queries).toHaveLength(4);
  });
});

describe('the query that an upstream sees', () => {
  it('is made afresh: RD and AD set, a case of its own, nothing of the client', async () => {
    const edge = await start();
    const options = [{ code: 10, data: Buffer.alloc(8, 7) }];
    await edge.ask('abcdefghijklmnopqrstuvwxyz.example', 'A', { opt: { options } as object });
    const [seen] = upstream.queries;
    expect(seen).toMatchObject({
      recursionDesired: true,
      authenticData: true,
      edns: { udpSize: 1232, dnssecOk: false, options: [] },
    });
    expect(seen.name).not.toBe(seen.name.toLowerCase());
    expect(seen.name.toLowerCase()).toBe('abcdefghijklmnopqrstuvwxyz.example');
  });

  it('RFC 5452 9.2: has an ID and a port that follow no pattern', async () => {
    const edge = await start();
    for (let i = 0; i < 200; i++) await edge.ask(`random${i}.example`);
    const ids = upstream.queries.map(({ id }) => id);
    const ports = upstream.queries.map(({ sourcePort }) => sourcePort);
    expect(new Set(ids).size).toBeGreaterThan(190);
    // Drawn from PORTS sockets, 200 queries leave by 139 of them on average.
    expect(PORTS).toBeGreaterThanOrEqual(256);
    expect(new Set(ports).size).toBeGreaterThan(110);
    for (const values of [ids, ports]) {
      const steps = values.slice(1).map((value, index) => value - values[index]);
      const rising = steps.filter((step) => step > 0).length;
      expect(rising).toBeGreaterThan(55);
      expect(rising).toBeLessThan(145);
    }
  });

  it('leaves by another port after eight false replies', async () => {
    const edge = await start();
    await edge.ask('warm.example');
    const mismatches = edge.sum(Counter.UPSTREAM_MISMATCHES);
    const [{ sourcePort }] = upstream.queries;
    for (let i = 0; i < 8; i++) upstream.sendTo(sourcePort, Buffer.alloc(12));
    upstream.udp = delay(100);
    await edge.ask('reads.example');
    await until(
      () => edge.sum(Counter.UPSTREAM_MISMATCHES) === mismatches + 8,
      'the false replies are counted',
    );
    upstream.udp = answer();
    for (let i = 0; i < 600; i++) await edge.ask(`next${i}.example`);
    expect(upstream.queries.slice(2).map((query) => query.sourcePort)).not.toContain(sourcePort);
  });
});

describe('what a thread hands to the resolver', () => {
  it('is not asked by the thread again while the resolver is at it', async () => {
    upstream.udp = drop();
    const edge = await start();
    const first = edge.ask('slow.example');
    await until(() => edge.handedOver === 1, 'the question is handed over');
    upstream.udp = delay(300);
    const second = edge.ask('slow.example');
    await Promise.all([first, second]);
    expect(edge.handedOver).toBe(2);
    expect(upstream.queries.length).toBeLessThanOrEqual(3);
  });

  it('fails for all who ask, while the failure is remembered, without asking again (RFC 9520)', async () => {
    upstream.udp = refuse(2);
    const edge = await start();
    await edge.ask('broken.example');
    const asked = upstream.queries.length;
    for (let i = 0; i < 20; i++) expect(shown(await edge.ask('broken.example'))).toBe('rcode 2');
    expect(upstream.queries.length).toBe(asked);
  });

  it('is every miss while the upstream is down, and nothing once it is back', async () => {
    upstream.udp = drop();
    const edge = await start({ timeouts: { tryMs: 60, minTryMs: 40, overallMs: 180 } });
    for (let i = 0; i < 4; i++) await edge.ask(`down${i}.example`);
    upstream.udp = answer();
    await until(async () => shown(await edge.ask(`up${Math.random()}.example`)) === ADDRESS, 'it is back');
    await until(async () => {
      const before = edge.handedOver;
      await edge.ask(`plain${Math.random()}.example`);
      return edge.handedOver === before;
    }, 'threads forward again');
  });

  it('is answered over TCP where UDP truncates, whole', async () => {
    upstream.udp = truncate();
    const edge = await start();
    expect(shown(await edge.ask('large.example'))).toBe(ADDRESS);
    expect(upstream.over('tcp')).toHaveLength(1);
  });

  it('is answered by the resolver if the thread ends meanwhile', async () => {
    upstream.udp = delay(100);
    const edge = await start();
    const reply = edge.ask('last.example');
    await until(() => upstream.queries.length === 1, 'the question is under way');
    await Promise.all([edge.stopThreads(), reply]);
    expect(shown(await reply)).toBe(ADDRESS);
  });
});
