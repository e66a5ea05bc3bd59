import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Counter } from '../../../src/metrics/index.ts';
import { a, HOME, HOME6, query, type Seen, TestEdge } from '../support.ts';

const HEADERS = 28;
const LIMIT = { bytesPerSecond: 262_144, burstBytes: 1_048_576 };
const NAME = 'big.example';
/** 1,000 bytes of TXT, as in a reflection attack. */
const TXT = Array.from({ length: 4 }, () => 'x'.repeat(249));
const BIG = query(NAME, 'TXT', { opt: {} });
const FILMS = query('netflix.com');

/** An edge with a TXT answer of 1,105 bytes in its cache. */
function edgeWithBig(answerLimit = LIMIT): TestEdge {
  const edge = new TestEdge({ answerLimit });
  edge.cacheAnswer(NAME, [{ type: 'TXT', name: NAME, ttl: 300, data: TXT }], { type: 'TXT' });
  return edge;
}

const amplification = (message: Uint8Array, { bytes }: Seen): number =>
  (bytes.length + HEADERS) / (message.length + HEADERS);

/** Empties the bucket of `source`, by large answers and then by small ones. @returns the bytes that were not free */
function exhaust(edge: TestEdge, source = HOME): number {
  let sent = 0;
  for (const message of [BIG, FILMS, query('localhost', 'AAAA')]) {
    for (let i = 0; ; i++) {
      const seen = edge.ask(message, source);
      if (amplification(message, seen) <= 1.5) break;
      sent += seen.bytes.length + HEADERS;
      if (i > 5000) throw new Error('the bucket is never empty');
    }
  }
  return sent;
}

describe('answers over UDP', () => {
  it('are worthless for reflection: past the burst each is at most 1.5 times its query', () => {
    const edge = edgeWithBig();
    expect(amplification(BIG, edge.ask(BIG))).toBeGreaterThan(14);
    expect(exhaust(edge)).toBeLessThanOrEqual(LIMIT.burstBytes);
    for (const name of [NAME, 'netflix.com', 'localhost', 'use-application-dns.net', '_dns.resolver.arpa']) {
      for (const type of ['A', 'AAAA', 'HTTPS', 'TXT', 'ANY'] as const) {
        for (const opt of [null, {}]) {
          const message = query(name, type, { opt });
          const seen = edge.ask(message);
          if (seen.bytes.length > 0) expect(amplification(message, seen)).toBeLessThanOrEqual(1.5);
        }
      }
    }
  });

  it('come back at the sustained rate', () => {
    const edge = edgeWithBig();
    exhaust(edge);
    edge.nowMs += 1000;
    const sent = exhaust(edge);
    expect(Math.abs(sent - LIMIT.bytesPerSecond)).toBeLessThan(200);
  });

  it('share a bucket in a /24 and a /56; other prefixes have their own', () => {
    const edge = edgeWithBig();
    for (const address of ['198.51.100.99', '198.51.99.7', '2001:db8:1:ff::7', '2001:db8:1:100::7']) {
      edge.register(address);
    }
    exhaust(edge, HOME);
    for (let i = 0; i < 2000; i++) edge.ask(BIG, HOME6);
    expect(edge.ask(BIG, '198.51.100.99').reply.flag_tc).toBe(true);
    expect(edge.ask(BIG, '2001:db8:1:ff::7').reply.flag_tc).toBe(true);
    expect(edge.counters.values[Counter.ANSWERS_LIMITED]).toBeGreaterThan(1);
    expect(edge.ask(BIG, '198.51.99.7').reply.flag_tc).toBe(false);
    expect(edge.ask(BIG, '2001:db8:1:100::7').reply.flag_tc).toBe(false);
  });

  it('are whole over TCP, whatever the bucket holds', () => {
    const edge = edgeWithBig();
    exhaust(edge);
    expect(edge.askTcp(BIG).reply).toMatchObject({ flag_tc: false, answers: [{ type: 'TXT' }] });
  });

  it('are whole for a client with a valid cookie, and cut for a made-up one', () => {
    const edge = edgeWithBig();
    exhaust(edge);
    const withCookie = (cookie: Buffer) =>
      query(NAME, 'TXT', { opt: { options: [{ code: 10, data: cookie }] as never } });
    const client = randomBytes(8);
    const first = edge.ask(withCookie(client));
    expect(first.reply.flag_tc).toBe(true);
    const opt = first.reply.additionals!.find(({ type }) => type === 'OPT') as unknown as {
      options: { code: number; data: Buffer }[];
    };
    const learnt = opt.options.find(({ code }) => code === 10)!.data;
    for (let i = 0; i < 100; i++) expect(edge.ask(withCookie(learnt)).reply.flag_tc).toBe(false);
    expect(edge.ask(withCookie(Buffer.concat([client, randomBytes(16)]))).reply.flag_tc).toBe(true);
  });

  it('of a catalog name always carry a relay: a TV without TCP behind a CGNAT of 500 homes misses none', () => {
    const edge = edgeWithBig();
    // The 499 other homes keep the bucket of the address empty.
    for (let second = 0; second < 20; second++) {
      exhaust(edge);
      for (let i = 0; i < 50; i++) {
        const steered = edge.ask(FILMS);
        expect(steered.reply).toMatchObject({ flag_tc: false, rcode: 'NOERROR' });
        expect(steered.answers).toHaveLength(1);
        expect(edge.ask(query('netflix.com', 'AAAA')).reply.flag_tc).toBe(false);
        expect(edge.ask(query('netflix.com', 'HTTPS')).reply).toMatchObject({ flag_tc: false, answers: [] });
      }
      edge.nowMs += 1000;
    }
    edge.nowMs += 10_000;
    expect(edge.ask(FILMS).answers).toHaveLength(2);
  });

  it('carry the relay that comes first, so that a home stays with it', () => {
    const edge = edgeWithBig();
    const [first] = edge.ask(FILMS).answers;
    exhaust(edge);
    expect(edge.ask(FILMS).answers).toEqual([first]);
    expect(edge.ask(query('netflix.com', 'A', { opt: {} })).extendedError).toBe(4);
  });

  it('that are free leave the bucket alone', () => {
    const edge = edgeWithBig({ bytesPerSecond: 1, burstBytes: 2048 });
    edge.cacheAnswer('small.example', [a('small.example', 300, '192.0.2.77')]);
    for (let i = 0; i < 1000; i++) expect(edge.ask(query('small.example')).answers).toHaveLength(1);
    expect(edge.ask(BIG).reply.flag_tc).toBe(false);
  });

  it('go on after the clock went back', () => {
    const edge = edgeWithBig();
    exhaust(edge);
    edge.nowMs -= 900_000;
    expect(edge.ask(BIG).reply.flag_tc).toBe(false);
  });
});

describe('an address that was told', () => {
  const TOLD = '198.51.100.50';
  function edgeWithTold(): TestEdge {
    const edge = edgeWithBig();
    edge.register(TOLD, { told: true });
    return edge;
  }

  it('is limited at once, and still gets a relay', () => {
    const edge = edgeWithTold();
    expect(edge.ask(BIG, TOLD).reply.flag_tc).toBe(true);
    expect(edge.ask(FILMS, TOLD).answers).toHaveLength(1);
    expect(edge.ask(BIG, HOME).reply.flag_tc, 'others of its /24').toBe(false);
  });

  it('has the whole limit once a query came from it over a stream', () => {
    const edge = edgeWithTold();
    edge.askTcp(FILMS, TOLD);
    expect(edge.ask(BIG, TOLD).reply.flag_tc).toBe(false);
    edge.register('198.51.100.51', { told: true });
    expect(edge.ask(BIG, '198.51.100.51').reply.flag_tc, 'another address').toBe(true);
  });

  it('has the whole limit once a query came from it with a valid cookie', () => {
    const edge = edgeWithTold();
    const ask = (data: Buffer) =>
      edge.ask(query('netflix.com', 'A', { opt: { options: [{ code: 10, data }] as never } }), TOLD);
    const { reply } = ask(randomBytes(8));
    const opt = reply.additionals!.find(({ type }) => type === 'OPT') as unknown as {
      options: { code: number; data: Buffer }[];
    };
    ask(opt.options.find(({ code }) => code === 10)!.data);
    expect(edge.ask(BIG, TOLD).reply.flag_tc).toBe(false);
  });
});
