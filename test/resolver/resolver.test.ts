import { randomBytes, randomFillSync } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  parseUpstream,
  type Resolved,
  type Resolver,
  type ResolverOptions,
} from '../../src/resolver/index.ts';
import { NODE_DATAGRAMS } from '../../src/resolver/upstream/node-datagram-pool.ts';
import { ExtendedError, Rcode, RecordType } from '../../src/wire/index.ts';
import {
  andHangUp,
  answer,
  type Behaviour,
  buildReply,
  caseChanged,
  delay,
  drop,
  FakeUpstream,
  formerrOnEdns,
  hangUp,
  inTurn,
  refuse,
  truncate,
} from '../support/fake-upstream.ts';
import { ADDRESS, upstreamCases } from '../support/upstream-cases.ts';
import {
  QUICK,
  RecordingStore,
  request,
  requests,
  resolverFor,
  STEADY,
  SYSTEM_DATAGRAMS,
  shown,
  until,
} from './support.ts';

const WWW = request('www.example');

let upstream: FakeUpstream;
let second: FakeUpstream;
let resolver: Resolver | undefined;

beforeAll(async () => {
  // The first query waits for the thread that reads replies to start.
  const warm = await FakeUpstream.start();
  const first = resolverFor([warm.url], { timeouts: {} });
  await first.resolve(WWW);
  await first.close();
  await warm.stop();
});

beforeEach(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.2' });
  second = await FakeUpstream.start({ address: '127.0.0.3', udp: answerWith('192.0.2.2') });
});

afterEach(async () => {
  await resolver?.close();
  resolver = undefined;
  await upstream.stop();
  await second.stop();
});

function answerWith(address: string): Behaviour {
  return (query, replier) =>
    answer({ answers: [{ type: 'A', name: query.name, ttl: 300, data: address }] })(query, replier);
}

function withOne(options: Partial<ResolverOptions> = {}): Resolver {
  resolver = resolverFor([upstream.url], options);
  return resolver;
}

function withTwo(options: Partial<ResolverOptions> = {}): Resolver {
  resolver = resolverFor([upstream.url, second.url], options);
  return resolver;
}

describe('one upstream: its behavior, the answer, and what it was asked', () => {
  /** Behaviors keep count, so each kind of sockets needs its own cases. */
  describe.each([
    ['system calls', SYSTEM_DATAGRAMS],
    ['node:dgram', NODE_DATAGRAMS],
  ])('by %s', (_kind, datagrams) => {
    test.each(upstreamCases())('$title', async ({ udp, tcp, shown: expected, asked }) => {
      upstream.udp = udp;
      if (tcp !== undefined) upstream.tcp = tcp;
      const resolved = await withOne({ datagrams }).resolve(WWW);
      expect(shown(resolved, WWW)).toEqual([expected]);
      expect([upstream.over('udp').length, upstream.over('tcp').length]).toEqual(asked);
    });
  });
});

describe('the query that an upstream sees', () => {
  test('is new: RD and AD set, CD and DO as asked, OPT without options', async () => {
    const resolver = withOne();
    await resolver.resolve(request('plain.example'));
    await resolver.resolve(request('flags.example', { dnssecOk: true, checkingDisabled: true }));
    expect(upstream.queries[0]).toMatchObject({
      recursionDesired: true,
      authenticData: true,
      checkingDisabled: false,
      edns: { udpSize: 1232, dnssecOk: false, options: [] },
    });
    expect(upstream.queries[1]).toMatchObject({
      checkingDisabled: true,
      edns: { udpSize: 1232, dnssecOk: true, options: [] },
    });
  });

  test('RFC 5452 9.2: has an unpredictable ID and port', async () => {
    const resolver = withOne({ timeouts: {} });
    await Promise.all(requests('random', 200).map((asked) => resolver.resolve(asked)));
    expect(upstream.queries).toHaveLength(200);
    const ids = upstream.queries.map(({ id }) => id);
    const ports = upstream.queries.map(({ sourcePort }) => sourcePort);
    for (const values of [ids, ports]) {
      expect(new Set(values).size).toBeGreaterThan(190);
      const steps = values.slice(1).map((value, index) => value - values[index]);
      expect(new Set(steps).size).toBeGreaterThan(180);
      const rising = steps.filter((step) => step > 0).length;
      expect(rising).toBeGreaterThan(55);
      expect(rising).toBeLessThan(145);
    }
    // Each bit of the IDs is set about half of the time.
    for (let bit = 0; bit < 16; bit++) {
      const set = ids.filter((id) => id & (1 << bit)).length;
      expect(set).toBeGreaterThan(55);
      expect(set).toBeLessThan(145);
    }
  });

  test('has a case that differs from query to query and does not show in the answer', async () => {
    const store = new RecordingStore();
    const name = 'abcdefghijklmnopqrstuvwxyz.example';
    const resolver = withOne({ cache: store });
    for (const type of [RecordType.A, RecordType.AAAA]) await resolver.resolve(request(name, { type }));
    const [one, two] = upstream.queries.map((query) => query.name);
    expect(one.toLowerCase()).toBe(name);
    expect(one).not.toBe(two);
    for (const entry of store.entries) expect(Buffer.from(entry).toString('latin1')).not.toMatch(/[A-Z]{3}/);
  });

  test('RFC 6891 7: goes without EDNS to an upstream that stumbled over it, for a while', async () => {
    let nowMs = 0;
    upstream.udp = formerrOnEdns();
    const resolver = withOne({ now: () => nowMs, timeouts: { ...STEADY, quirkMs: 1000 } });
    const [first, next, later] = requests('old', 3);
    await resolver.resolve(first);
    nowMs = 900;
    await resolver.resolve(next);
    nowMs = 1100;
    await resolver.resolve(later);
    expect(upstream.queries.map(({ edns }) => edns !== null)).toEqual([true, false, false, true, false]);
  });

  test('is in lower case for an upstream that folded the case over TCP', async () => {
    upstream.udp = caseChanged();
    upstream.tcp = caseChanged();
    const resolver = withOne();
    const [first, next] = requests('folding', 2);
    await resolver.resolve(first);
    upstream.udp = answer();
    await resolver.resolve(next);
    expect(upstream.queries.map(({ transport }) => transport)).toEqual(['udp', 'tcp', 'udp']);
    expect(upstream.queries[2].name).toBe('folding1.example');
  });
});

describe('one query for each question', () => {
  test('is shared by all who ask meanwhile', async () => {
    upstream.udp = delay(20);
    const resolver = withOne();
    const all = await Promise.all(Array.from({ length: 500 }, () => resolver.resolve(WWW)));
    expect(upstream.queries).toHaveLength(1);
    expect(all.map((resolved) => shown(resolved, WWW)[0])).toEqual(Array(500).fill(ADDRESS));
    expect(resolver.counters.coalesced).toBe(499);
  });

  test('is shared by those who missed the cache just before the answer', async () => {
    const resolver = withOne();
    const first = await resolver.resolve(WWW);
    const late = await resolver.resolve(WWW);
    expect([first.entry !== null && first.cached, late.entry !== null && late.cached]).toEqual([false, true]);
    expect(upstream.queries).toHaveLength(1);
  });

  test('with TTL 0 is shared by those who waited only', async () => {
    const store = new RecordingStore();
    upstream.udp = answer({ ttlSeconds: 0 });
    const resolver = withOne({ cache: store });
    await Promise.all([resolver.resolve(WWW), resolver.resolve(WWW)]);
    await resolver.resolve(WWW);
    expect(upstream.queries).toHaveLength(2);
    expect(store.entries).toHaveLength(0);
  });

  test.each([
    ['type', { type: RecordType.AAAA }],
    ['DO', { dnssecOk: true }],
    ['CD', { checkingDisabled: true }],
  ])('another %s is another question', async (_what, fields) => {
    const resolver = withOne();
    await Promise.all([resolver.resolve(WWW), resolver.resolve(request('www.example', fields))]);
    expect(upstream.queries).toHaveLength(2);
  });

  test("copies the caller's buffer", async () => {
    upstream.udp = delay(5);
    const asked = { ...WWW, name: WWW.name.slice() };
    const resolving = withOne().resolve(asked);
    asked.name.fill(0);
    expect(shown(await resolving, WWW)).toEqual([ADDRESS]);
  });
});

describe('bounds', () => {
  test('beyond the number of questions: fails at once, is counted and not remembered', async () => {
    upstream.udp = delay(20);
    const resolver = withOne({ limits: { questions: 2 } });
    const [a, b, c] = requests('many', 3);
    const waiting = [resolver.resolve(a), resolver.resolve(b)];
    const turnedAway = await resolver.resolve(c);
    expect(turnedAway).toEqual({ entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NONE });
    expect(resolver.counters.overloaded).toBe(1);
    await Promise.all(waiting);
    expect(shown(await resolver.resolve(c), c)).toEqual([ADDRESS]);
  });

  test('beyond the waiters for one question: fails at once', async () => {
    upstream.udp = delay(20);
    const resolver = withOne({ limits: { waitersPerQuestion: 3 } });
    const all = await Promise.all(Array.from({ length: 5 }, () => resolver.resolve(WWW)));
    expect(all.filter(({ entry }) => entry === null)).toHaveLength(2);
  });
});

describe('RFC 9520: failures are remembered', () => {
  const fake = (): { now: () => number; advance: (ms: number) => void } => {
    const began = performance.now();
    let added = 0;
    return {
      now: () => performance.now() - began + added,
      advance: (ms) => {
        added += ms;
      },
    };
  };

  test('100 equal queries to a dead upstream cost three', async () => {
    upstream.udp = drop();
    const resolver = withOne({ timeouts: QUICK });
    const all: Resolved[] = [];
    for (let i = 0; i < 4; i++) {
      all.push(...(await Promise.all(Array.from({ length: 25 }, () => resolver.resolve(WWW)))));
    }
    expect(upstream.queries).toHaveLength(3);
    const dead = { entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NO_REACHABLE_AUTHORITY };
    expect(all).toEqual(Array(100).fill(dead));
  });

  test('for a second, then twice as long each time, until there is an answer', async () => {
    const clock = fake();
    upstream.udp = refuse(2);
    const resolver = withOne({ now: clock.now });
    const askedAfter = async (ms: number): Promise<boolean> => {
      clock.advance(ms);
      const before = upstream.queries.length;
      await resolver.resolve(WWW);
      return upstream.queries.length > before;
    };
    expect(await askedAfter(0)).toBe(true);
    expect(await askedAfter(800)).toBe(false);
    expect(await askedAfter(1000)).toBe(true);
    expect(await askedAfter(1700)).toBe(false);
    upstream.udp = answer({ ttlSeconds: 0 });
    expect(await askedAfter(1000)).toBe(true);
    upstream.udp = refuse(2);
    expect(await askedAfter(0)).toBe(true);
    expect(await askedAfter(800)).toBe(false);
    expect(await askedAfter(400)).toBe(true);
  });

  test('a closed port is noticed by ICMP and reported as a network error', async () => {
    await upstream.stop();
    const resolved = await withOne().resolve(WWW);
    expect(resolved).toEqual({ entry: null, rcode: 2, extendedError: ExtendedError.NETWORK_ERROR });
    upstream = await FakeUpstream.start();
  });
});

describe('a refresh', () => {
  test('stores its answer, and those who ask meanwhile share its query', async () => {
    const cache = new RecordingStore();
    const resolver = withOne({ cache });
    for (let i = 0; i < 3; i++) resolver.refresh(WWW);
    expect(shown(await resolver.resolve(WWW), WWW)).toEqual([ADDRESS]);
    expect([upstream.queries.length, cache.entries.length]).toEqual([1, 1]);
    expect(resolver.counters.prefetches).toBe(1);
  });

  test('is dropped while many questions are under way', async () => {
    upstream.udp = drop();
    const resolver = withOne({ limits: { questions: 16 } });
    const others = requests('other', 2).map((asked) => resolver.resolve(asked));
    resolver.refresh(WWW);
    expect([resolver.counters.prefetches, resolver.inFlight]).toEqual([0, 2]);
    await resolver.close();
    await Promise.all(others);
  });
});

describe('several upstreams', () => {
  test.each([
    ['is silent', drop()],
    ['says SERVFAIL', refuse(2)],
    ['says REFUSED', refuse(5)],
    ['says NOTIMP', refuse(4)],
  ])('the first %s: the second answers', async (_what, udp) => {
    upstream.udp = udp;
    expect(shown(await withTwo().resolve(WWW), WWW)).toEqual(['192.0.2.2']);
  });

  test("all decline: the last one's word counts", async () => {
    upstream.udp = refuse(2);
    second.udp = refuse(4);
    expect(await withTwo().resolve(WWW)).toMatchObject({ entry: null, rcode: Rcode.NOTIMP });
  });

  test('one that refuses a name stays healthy but is asked later, and REFUSED reaches no client', async () => {
    upstream.udp = refuse(5);
    const resolver = withTwo();
    for (const asked of requests('refused', 5))
      expect(shown(await resolver.resolve(asked), asked)).toEqual(['192.0.2.2']);
    expect(upstream.queries).toHaveLength(1);
    expect(resolver.upstreams().map(({ healthy, failures }) => [healthy, failures])).toEqual([
      [true, 0],
      [true, 0],
    ]);
    second.udp = refuse(5);
    expect(await resolver.resolve(request('all.example'))).toEqual({
      entry: null,
      rcode: Rcode.SERVFAIL,
      extendedError: ExtendedError.NO_REACHABLE_AUTHORITY,
    });
  });

  test('the first is slower than usual: the second is asked long before the first has failed', async () => {
    // No retry within 60 s: only a hedge can end this.
    const resolver = withTwo({
      timeouts: { ...STEADY, tryMs: 240_000, minTryMs: 60_000, overallMs: 240_000 },
    });
    second.udp = delay(100, answerWith('192.0.2.2'));
    for (const asked of requests('quick', 40)) await resolver.resolve(asked);
    expect(second.queries.length).toBeLessThan(10);
    upstream.udp = drop();
    const before = resolver.counters.hedges;
    expect(shown(await resolver.resolve(WWW), WWW)).toEqual(['192.0.2.2']);
    expect(resolver.counters.hedges).toBe(before + 1);
    // One slow name does not put it aside.
    expect(resolver.upstreams()[0]!.healthy).toBe(true);
  });

  test.each([
    ['first', drop(), refuse(2)],
    ['second', refuse(2), drop()],
  ])('one declines, the %s is silent: no more waiting than for one try', async (_which, udp, secondUdp) => {
    upstream.udp = udp;
    second.udp = secondUdp;
    const resolver = withTwo({ timeouts: { ...QUICK, overallMs: 60_000 } });
    expect(await resolver.resolve(WWW)).toMatchObject({ entry: null, rcode: Rcode.SERVFAIL });
    expect([upstream.queries.length, second.queries.length]).toEqual([1, 1]);
  });

  test('a dead one is put aside: later questions go to the other first', async () => {
    upstream.udp = drop();
    const resolver = withTwo({ timeouts: { ...STEADY, asideMinMs: 60_000 } });
    const [first, ...others] = requests('aside', 20);
    await resolver.resolve(first);
    for (const asked of others) await resolver.resolve(asked);
    expect(upstream.queries).toHaveLength(1);
    await until(() => !resolver.upstreams()[0].healthy);
    expect(resolver.upstreams()[1].healthy).toBe(true);
  });

  test('one that is back is found by a health check', async () => {
    upstream.udp = drop();
    const resolver = withTwo();
    await resolver.resolve(WWW);
    await until(() => !resolver.upstreams()[0].healthy);
    upstream.udp = answer();
    await until(() => resolver.upstreams()[0].healthy);
    expect(upstream.queries).toHaveLength(1);
  });

  test('the quicker one is asked first once both are measured', async () => {
    upstream.udp = delay(100);
    const resolver = withTwo();
    for (const asked of requests('quick', 10)) await resolver.resolve(asked);
    expect(upstream.queries).toHaveLength(1);
    expect(second.queries).toHaveLength(9);
  });
});

describe('tcp:// upstreams', () => {
  test('share one connection, and answers may come in any order', async () => {
    let seen = 0;
    upstream.tcp = (query, replier) => delay(seen++ === 0 ? 30 : 0)(query, replier);
    resolver = resolverFor([upstream.urlFor('tcp')]);
    const order: number[] = [];
    const all = requests('stream', 10).map(async (asked, index) => {
      const resolved = await resolver?.resolve(asked);
      order.push(index);
      return resolved;
    });
    await Promise.all(all);
    expect(order.at(-1)).toBe(0);
    expect(upstream.connectionCount).toBe(1);
    expect(upstream.over('udp')).toHaveLength(0);
  });

  test('that close the connection after each answer are asked on a fresh one', async () => {
    upstream.tcp = andHangUp();
    resolver = resolverFor([upstream.urlFor('tcp')]);
    for (const asked of requests('closing', 5)) {
      expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    }
  });

  test('that close the connection after each answer still answer a burst', async () => {
    upstream.tcp = andHangUp();
    resolver = resolverFor([upstream.urlFor('tcp')], { timeouts: {} });
    const asked = requests('burst', 10);
    const all = await Promise.all(asked.map((one) => resolver?.resolve(one) as Promise<Resolved>));
    expect(all.map((resolved, index) => shown(resolved, asked[index])[0])).toEqual(Array(10).fill(ADDRESS));
  });

  test('are asked on another connection when one died silently', async () => {
    let deadPort = 0;
    upstream.tcp = (query, replier) => {
      if (deadPort === 0) deadPort = query.sourcePort;
      if (query.sourcePort !== deadPort) answer()(query, replier);
    };
    resolver = resolverFor([upstream.urlFor('tcp')]);
    expect(shown(await resolver.resolve(WWW), WWW)).toEqual([ADDRESS]);
    expect(upstream.connectionCount).toBe(2);
  });

  test('may close an idle connection: the question is sent once more, without a failure', async () => {
    resolver = resolverFor([upstream.urlFor('tcp')]);
    const [first, next] = requests('idle', 2);
    await resolver.resolve(first);
    upstream.tcp = inTurn(hangUp(), answer());
    expect(shown(await resolver.resolve(next), next)).toEqual([ADDRESS]);
    expect(upstream.connectionCount).toBe(2);
    expect(resolver.upstreams()[0]).toMatchObject({ healthy: true, failures: 0 });
  });
});

test('upstreams are asked over IPv6', async () => {
  const ipv6 = await FakeUpstream.start({ address: '::1', udp: inTurn(answer(), truncate()) });
  resolver = resolverFor([ipv6.url]);
  for (const asked of requests('six', 2)) {
    expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
  }
  expect(ipv6.queries.map(({ transport }) => transport)).toEqual(['udp', 'udp', 'tcp']);
  await ipv6.stop();
});

test('replies that waited while the thread was busy are read before anything is asked again', async () => {
  const resolver = withOne();
  const all = requests('held', 20).map((asked) => resolver.resolve(asked));
  await until(() => upstream.queries.length >= 20);
  const heldUntilMs = performance.now() + 300;
  while (performance.now() < heldUntilMs);
  await Promise.all(all);
  expect(upstream.queries).toHaveLength(20);
});

test('random and mutated replies are survived, and the next good one is taken', async () => {
  const mutate: Behaviour = (query, replier) => {
    const message = buildReply(query, query.index % 2 ? { answers: [] } : {});
    const changes = randomBytes(8);
    for (let i = 0; i < 8; i += 2) message[2 + (changes[i] % (message.length - 2))] = changes[i + 1];
    replier.send(query.index % 5 === 0 ? randomBytes(changes[0]) : message);
  };
  upstream.udp = mutate;
  upstream.tcp = mutate;
  const resolver = withOne({ timeouts: QUICK });
  const all = await Promise.all(requests('mutated', 400).map((asked) => resolver.resolve(asked)));
  expect(all).toHaveLength(400);
  upstream.udp = answer();
  await expect
    .poll(async () => shown(await resolver.resolve(WWW), WWW), { timeout: 10_000 })
    .toEqual([ADDRESS]);
});

describe('status and close', () => {
  test('upstreams() names each by its index and scheme, with measurements', async () => {
    const resolver = withTwo();
    expect(resolver.upstreams()[0]).toEqual({
      name: '0-udp',
      url: upstream.url,
      healthy: true,
      p50Ms: null,
      p95Ms: null,
      failures: 0,
    });
    await resolver.resolve(WWW);
    const [first] = resolver.upstreams();
    expect(first.p50Ms).toBeGreaterThanOrEqual(0);
    expect(first.p95Ms).toBeGreaterThanOrEqual(first.p50Ms ?? 0);
  });

  test('close() fails open questions, closes every socket, and fails later questions', async () => {
    upstream.udp = inTurn(truncate(), drop());
    upstream.tcp = drop();
    const closing = withOne({ fillRandom: randomFillSync });
    const before = sockets();
    const waiting = requests('closing', 20).map((asked) => closing.resolve(asked));
    await until(() => upstream.openConnections === 1);
    await closing.close();
    for (const resolved of await Promise.all(waiting)) expect(resolved.entry).toBeNull();
    expect((await closing.resolve(WWW)).entry).toBeNull();
    await until(() => upstream.openConnections === 0);
    expect(sockets()).toBeLessThanOrEqual(before);
  });

  test('no socket is left when everything is answered', async () => {
    const before = sockets();
    const resolver = withOne();
    await Promise.all(requests('left', 100).map((asked) => resolver.resolve(asked)));
    await until(() => sockets() <= before);
  });

  test('close() does not wait for a health check', async () => {
    upstream.udp = drop();
    const resolver = withTwo();
    await resolver.resolve(WWW);
    await until(() => upstream.checks.length === 1);
    await resolver.close();
  });
});

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => /UDP|TCPSocket/.test(kind)).length;
}

describe('other upstreams at run time', () => {
  test('get the next questions; what the old one was asked is still answered', async () => {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    upstream.udp = (query, replier) => void released.then(() => answerWith('192.0.2.1')(query, replier));
    const resolver = withOne();
    const early = resolver.resolve(WWW);
    await until(() => upstream.queries.length === 1);
    resolver.useUpstreams([parseUpstream(second.url)], 0);
    const late = request('late.example');
    expect(shown(await resolver.resolve(late), late)).toEqual(['192.0.2.2']);
    release();
    expect(shown(await early, WWW)).toEqual(['192.0.2.1']);
    expect(upstream.queries).toHaveLength(1);
    expect(resolver.upstreams().map(({ name, url }) => [name, url])).toEqual([['0-udp', second.url]]);
  });

  test('are asked for what the old one failed', async () => {
    upstream.udp = drop();
    upstream.tcp = drop();
    const resolver = withOne({ timeouts: QUICK });
    const early = resolver.resolve(WWW);
    await until(() => upstream.queries.length > 0);
    resolver.useUpstreams([parseUpstream(second.url)], 0);
    expect(shown(await early, WWW)).toEqual(['rcode 2']);
    expect(shown(await resolver.resolve(WWW), WWW)).toEqual(['192.0.2.2']);
  });

  test('leave to one that stays what was measured, at its new place', async () => {
    const resolver = withOne();
    upstream.udp = answerWith('192.0.2.1');
    await resolver.resolve(WWW);
    resolver.useUpstreams([second.url, upstream.url].map(parseUpstream), 0);
    const [, stayed] = resolver.upstreams();
    expect(stayed).toMatchObject({ name: '1-udp', url: upstream.url, p50Ms: expect.any(Number) });
  });
});
