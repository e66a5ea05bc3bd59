import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { makeCertificate } from '../../../support/certificate.ts';
import {
  answer,
  type Behaviour,
  bareError,
  buildReply,
  byName,
  caseChanged,
  closeMidMessage,
  delay,
  drop,
  FakeUpstream,
  garbage,
  hangUp,
  inTurn,
  malformed,
  questionless,
  refuse,
  twice,
  wrongId,
  wrongQuestion,
} from '../../../support/fake-upstream.ts';
import { until } from '../../../support/until.ts';
import { ADDRESS } from '../../../support/upstream-cases.ts';
import { closeAll, Peer } from '../../../sys/support.ts';
import { CLIENT, ForwardEdge, type ForwardEdgeOptions, shown } from './forward-edge.ts';

const certificate = makeCertificate(['DNS:dns.example']);
/** Misses that make a thread open a connection of its own, and some. */
const BUSY = 30;

let upstream: FakeUpstream;
const edges: ForwardEdge[] = [];

beforeEach(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.2', tls: certificate });
});

afterEach(async () => {
  for (const edge of edges) expect(edge.failures).toEqual([]);
  for (const edge of edges.splice(0)) await edge.stop();
  await upstream.stop();
  closeAll();
});

async function start(options: Partial<ForwardEdgeOptions> = {}): Promise<ForwardEdge> {
  const edge = await ForwardEdge.start({
    upstreams: [`tls://127.0.0.2:${upstream.port}#dns.example`],
    authorities: [certificate.cert],
    ...options,
  });
  edges.push(edge);
  return edge;
}

/** Asks until the thread asks by itself. */
async function startBusy(options: Partial<ForwardEdgeOptions> = {}): Promise<ForwardEdge> {
  const edge = await start(options);
  let asked = 0;
  for (let isOwn = false; !isOwn; ) {
    const before = edge.handedOver;
    const names = Array.from({ length: BUSY }, () => `warm${asked++}.example`);
    await Promise.all(names.map((name) => edge.ask(name)));
    isOwn = edge.handedOver === before;
  }
  upstream.queries.length = 0;
  return edge;
}

/** Sends replies to another question: so many with IDs that nobody waits for, then so many with the query's. */
function flood(strays: number, matching: number): Behaviour {
  return (query, replier) => {
    const reply = buildReply({ ...query, name: `other-${query.name}` });
    for (let i = strays + matching - 1; i >= 0; i--) {
      const id = i < matching ? query.id : query.id + i;
      const message = Buffer.from(reply);
      message.writeUInt16BE(id & 0xffff, 0);
      replier.send(message);
    }
  };
}

describe('an upstream over TLS, asked by a UDP thread', () => {
  it('is asked by the resolver while misses are rare', async () => {
    const edge = await start();
    for (let i = 0; i < 5; i++) expect(shown(await edge.ask(`n${i}.example`))).toBe(ADDRESS);
    expect([edge.handedOver, upstream.connectionCount]).toEqual([5, 1]);
  });

  it('is asked over one connection of the thread when they are not: padded, in the case of the client', async () => {
    const edge = await startBusy();
    const before = edge.handedOver;
    const names = ['a.example', 'much.longer.name.with.many.labels.example', 'b.example'];
    const replies = await Promise.all(names.map((name) => edge.ask(name)));
    expect(replies.map(shown)).toEqual(names.map(() => ADDRESS));
    expect(edge.handedOver).toBe(before);
    expect(upstream.queries.map(({ name, bytes }) => [name, bytes.length]).sort()).toEqual(
      names.map((name) => [name, 128]).sort(),
    );
    expect(upstream.queries[0]).toMatchObject({ recursionDesired: true, authenticData: true });
    expect(new Set(upstream.queries.map(({ id }) => id)).size).toBe(3);
    expect(new Set(upstream.queries.map(({ sourcePort }) => sourcePort)).size).toBe(1);
  });

  it('has its answers cached, and is asked once however many wait', async () => {
    const edge = await startBusy();
    upstream.tcp = delay(30);
    const clients = await Promise.all(Array.from({ length: 10 }, () => Peer.on(CLIENT)));
    const replies = await Promise.all(clients.map((client) => edge.ask('www.example', 'A', {}, client)));
    expect(replies.map(shown)).toEqual(Array(10).fill(ADDRESS));
    expect(shown(await edge.ask('WWW.example'))).toBe(ADDRESS);
    expect(upstream.queries).toHaveLength(1);
  });

  it('answers a thousand misses, many in flight', async () => {
    const edge = await startBusy();
    const before = edge.handedOver;
    upstream.tcp = delay(3);
    const clients = await Promise.all(Array.from({ length: 25 }, () => Peer.on(CLIENT)));
    const asked = clients.map(async (client, number) => {
      for (let i = 0; i < 40; i++) {
        expect(shown(await edge.ask(`n${number}-${i}.example`, 'A', {}, client))).toBe(ADDRESS);
      }
    });
    await Promise.all(asked);
    expect([upstream.queries.length, edge.handedOver]).toEqual([1000, before]);
  });

  it('may send its replies byte by byte, or many at once', async () => {
    const edge = await startBusy();
    const before = edge.handedOver;
    const frame = (bytes: Buffer): Buffer =>
      Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 255), bytes]);
    const reply = (query: Parameters<Behaviour>[0]): Buffer =>
      frame(buildReply(query, { answers: [{ type: 'A', name: query.name, ttl: 60, data: ADDRESS }] }));
    upstream.tcp = (query, replier) => {
      for (const byte of reply(query)) replier.write(Buffer.of(byte));
    };
    expect(shown(await edge.ask('bytes.example'))).toBe(ADDRESS);
    const held: Buffer[] = [];
    upstream.tcp = (query, replier) => {
      held.push(reply(query));
      if (held.length === 20) replier.write(Buffer.concat(held));
    };
    const names = Array.from({ length: 20 }, (_, i) => `many${i}.example`);
    expect((await Promise.all(names.map((name) => edge.ask(name)))).map(shown)).toEqual(
      names.map(() => ADDRESS),
    );
    expect(edge.handedOver).toBe(before);
  });

  it('is asked by the resolver for a reply that is too long for a thread', async () => {
    const edge = await startBusy();
    const answers = Array.from({ length: 400 }, (_, i) => ({
      type: 'A' as const,
      name: 'long.example',
      ttl: 60,
      data: `192.0.2.${i & 255}`,
    }));
    upstream.tcp = answer({ answers });
    const seen = await edge.ask('long.example', 'A', { opt: {} });
    expect(seen.rcode).toBe(0);
    expect(upstream.queries).toHaveLength(2);
    // The connection goes on.
    upstream.tcp = answer();
    const before = edge.handedOver;
    expect(shown(await edge.ask('next.example'))).toBe(ADDRESS);
    expect(edge.handedOver).toBe(before);
  });
});

describe('when the connection ends', () => {
  it('its questions go to the resolver, and the thread connects again', async () => {
    const edge = await startBusy();
    upstream.tcp = inTurn(drop(), drop(), drop(), answer());
    const asked = ['a', 'b', 'c'].map((label) => edge.ask(`${label}.example`));
    await until(() => upstream.queries.length === 3, 'they are asked');
    upstream.dropConnections();
    expect((await Promise.all(asked)).map(shown)).toEqual([ADDRESS, ADDRESS, ADDRESS]);
    const connections = upstream.connectionCount;
    for (let i = 0; upstream.connectionCount === connections || i < BUSY; i++) {
      expect(shown(await edge.ask(`again${i}.example`))).toBe(ADDRESS);
    }
  });

  it('and nobody listens any more, every query is answered all the same', async () => {
    const edge = await startBusy();
    upstream.closeTcp();
    const seen = await Promise.all(Array.from({ length: BUSY }, (_, i) => edge.ask(`gone${i}.example`)));
    expect(new Set(seen.map(shown))).toEqual(new Set(['rcode 2']));
  });
});

it('ends a connection that is flooded with false replies, and asks over another one', async () => {
  const edge = await startBusy();
  // The last one is both the 1001st on the connection and the ninth to the question.
  upstream.tcp = inTurn(flood(992, 9), answer());
  expect(shown(await edge.ask('www.example'))).toBe(ADDRESS);
  const names = Array.from({ length: 3 * BUSY }, (_, i) => `after${i}.example`);
  for (const name of names) expect(shown(await edge.ask(name))).toBe(ADDRESS);
});

/** Behaviours on a stream, and what the client gets for each. */
const BEHAVIOURS: readonly [string, () => Behaviour, string][] = [
  ['refuses', () => refuse(), 'rcode 2'],
  ['truncates', () => answer({ truncated: true, answers: [], authorities: [] }), 'rcode 2'],
  ['sends an error without a question', () => bareError(1), 'rcode 1'],
  ['sends a reply without a question', () => questionless(), 'rcode 2'],
  ['sends replies with other IDs first', () => wrongId(3, answer()), ADDRESS],
  ['answers another question first', () => wrongQuestion(answer()), ADDRESS],
  ['changes the case', () => caseChanged(), ADDRESS],
  ['sends a malformed reply first', () => malformed(answer()), ADDRESS],
  ['sends garbage', () => garbage(), 'rcode 2'],
  ['answers twice', () => twice(), ADDRESS],
  ['hangs up in the middle of a message', () => closeMidMessage(), 'rcode 2'],
  ['hangs up once', () => inTurn(hangUp(), answer()), ADDRESS],
];

describe('an upstream that', () => {
  const timeouts = { tryMs: 400, minTryMs: 200, overallMs: 1200 };
  test.each(BEHAVIOURS)('%s', async (_, behaviour, expected) => {
    const edge = await startBusy({ timeouts });
    // Other names are answered, so that the upstream stays healthy.
    upstream.tcp = byName({ 'odd.example': behaviour() }, answer());
    expect(shown(await edge.ask('odd.example'))).toBe(expected);
    expect(shown(await edge.ask('other.example'))).toBe(ADDRESS);
  });
});
