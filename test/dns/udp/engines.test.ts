import * as dnsPacket from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import {
  Answerer,
  DgramEngine,
  LocalDeferredQueries,
  MmsgEngine,
  type UdpEngine,
} from '../../../src/dns/index.ts';
import { QueryVerdict } from '../../../src/dns/verdict.ts';
import { type CounterBlock, queryCounter, Transport } from '../../../src/metrics/index.ts';
import { ListenError, parseSocketAddress, sourceFromText } from '../../../src/net/index.ts';
import type { Resolved } from '../../../src/resolver/index.ts';
import { libc, monotonicClock } from '../../../src/sys/index.ts';
import { ExtendedError, Rcode, textFromName } from '../../../src/wire/index.ts';
import { until } from '../../support/until.ts';
import { closeAll, Peer } from '../../sys/support.ts';
import { a, answering, query, REGIONS, type Seen, seen, TestEdge } from '../support.ts';

const CLIENT = '127.0.0.41';
const STRANGER = '127.0.0.42';
const DEAD: Resolved = { entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NONE };
const WORKERS = 2;

type EngineName = UdpEngine['name'];

/** An engine over a TestEdge and a resolver that answers names below `example`; slow.example waits for `release`. */
class Stage {
  readonly edge: TestEdge;
  readonly counters: CounterBlock[] = [];
  readonly failures: Error[] = [];
  engine!: UdpEngine;
  answerer!: Answerer;
  resolving = 0;
  /** Lets names below `slow.example` be answered. */
  release: () => void = () => {};
  private readonly released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor(edge = new TestEdge()) {
    this.edge = edge;
    edge.nowMs = monotonicClock()();
    edge.register(CLIENT);
    edge.register('::1');
  }

  /** Prefetched questions: name, type, DO and CD. */
  readonly refreshed: string[] = [];

  async start(name: EngineName, listen: readonly string[]): Promise<this> {
    const { edge } = this;
    this.answerer = new Answerer(
      edge.state,
      answering(
        (request) => this.resolve(request),
        ({ name, nameLength, type, dnssecOk, checkingDisabled }) => {
          const asked = textFromName(name.slice(0, nameLength));
          this.refreshed.push(`${asked} ${type} ${dnssecOk} ${checkingDisabled}`);
        },
      ),
      monotonicClock(),
      (f) => this.failures.push(f as Error),
    );
    const addresses = listen.map((text) => parseSocketAddress(text)!);
    const { answerer } = this;
    this.engine =
      name === 'dgram'
        ? await DgramEngine.start({ addresses, answerer })
        : await MmsgEngine.start({
            addresses,
            workers: WORKERS,
            allowlist: edge.table.handle(),
            catalog: edge.steering.handle(),
            cache: edge.cache.handle(),
            rateLimit: edge.rateLimit,
            rateLimitOptions: edge.rateLimitOptions,
            policy: edge.policy,
            forward: null,
            deferred: new LocalDeferredQueries(answerer),
            onCounters: (block) => this.counters.push(block),
            onFailure: (error) => this.failures.push(error),
          });
    edge.table.onReplaced((allowlist) => void this.engine.publish({ allowlist }));
    stages.push(this);
    return this;
  }

  port(i = 0): number {
    return this.engine.addresses[i].port;
  }

  counted(verdict: QueryVerdict): number {
    const index = queryCounter(Transport.UDP, verdict);
    return [this.edge.counters, ...this.counters].reduce((sum, block) => sum + block.values[index], 0);
  }

  async close(): Promise<void> {
    this.release();
    await this.engine.stop();
    await this.engine.close();
  }

  private async resolve(request: { name: Uint8Array; nameLength: number }): Promise<Resolved> {
    const name = textFromName(request.name.slice(0, request.nameLength));
    this.resolving++;
    if (name.endsWith('slow.example')) await this.released;
    if (!name.endsWith('example')) return DEAD;
    this.edge.nowMs = monotonicClock()();
    return { entry: this.edge.entry(name, [a(name, 300, '192.0.2.77')]), cached: false };
  }
}

const stages: Stage[] = [];

afterEach(async () => {
  await Promise.all(stages.splice(0).map((stage) => stage.close()));
  closeAll();
});

/** Sends a query and waits for the next packet. */
async function ask(
  peer: Peer,
  message: Uint8Array,
  port: number,
  address: string,
): Promise<Seen & { from: string }> {
  const before = peer.received.length;
  await peer.send(message, port, address);
  const packet = (await peer.got(before + 1))[before];
  expect(packet.port).toBe(port);
  return Object.assign(seen(0, Buffer.from(packet.text, 'latin1')), { from: packet.address });
}

const engines: EngineName[] = libc() === null ? ['dgram'] : ['mmsg', 'dgram'];

describe.each(engines)('UDP by %s', (name) => {
  it('has an answer asked for again that is in use and about to expire, and serves it meanwhile', async () => {
    const address = '127.0.0.40';
    const stage = await new Stage().start(name, [`${address}:0`]);
    const peer = await Peer.on(CLIENT);
    const { edge } = stage;
    const port = stage.port();
    edge.nowMs -= 95_000;
    for (const dnssecOk of [false, true]) {
      edge.cacheAnswer('in-use.example', [a('in-use.example', 100, '192.0.2.1')], { dnssecOk });
    }
    edge.nowMs += 95_000;
    for (const opt of [null, { flags: dnsPacket.DNSSEC_OK }]) {
      for (let i = 0; i < 3; i++) {
        const seen = await ask(peer, query('In-Use.example', 'A', { id: i, opt }), port, address);
        expect(seen.answers).toEqual([expect.stringMatching(/^In-Use.example A [1-6] 192.0.2.1$/)]);
      }
    }
    await until(() => stage.refreshed.length === 2, 'both were asked for again');
    expect(stage.refreshed.toSorted()).toEqual([
      'in-use.example 1 false false',
      'in-use.example 1 true false',
    ]);
    expect(stage.resolving).toBe(0);
  });

  it.each([
    ['127.0.0.40', '127.0.0.40:0', CLIENT],
    ['::1', '[::1]:0', '::1'],
  ])(
    'answers on %s: what decide knows, what the resolver gives, and strangers',
    async (address, listen, client) => {
      const stage = await new Stage().start(name, [listen]);
      const peer = await Peer.on(client);
      const port = stage.port();
      expect(port).toBeGreaterThan(0);
      const steered = await ask(peer, query('netflix.com', 'A', { id: 7 }), port, address);
      expect([steered.reply.id, steered.answers.length, steered.from]).toEqual([7, 2, address]);
      const resolved = await ask(peer, query('Some.example', 'A', { id: 8 }), port, address);
      expect([resolved.reply.id, resolved.answers]).toEqual([8, ['Some.example A 300 192.0.2.77']]);
      const dead = await ask(peer, query('dead.org', 'A', { id: 9, opt: {} }), port, address);
      expect([dead.reply.id, dead.rcode, dead.hasOpt]).toEqual([9, Rcode.SERVFAIL, true]);
      if (client === CLIENT) {
        const refused = await ask(await Peer.on(STRANGER), query('netflix.com'), port, address);
        expect(refused.rcode).toBe(Rcode.REFUSED);
      }
      expect(stage.failures).toEqual([]);
    },
  );

  it('serves several addresses of both families at once', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0', '[::1]:0', '127.0.0.44:0']);
    const four = await Peer.on(CLIENT);
    const six = await Peer.on('::1');
    for (const message of [query('netflix.com'), query('a.example')]) {
      expect((await ask(four, message, stage.port(0), '127.0.0.40')).from).toBe('127.0.0.40');
      expect((await ask(six, message, stage.port(1), '::1')).from).toBe('::1');
      expect((await ask(four, message, stage.port(2), '127.0.0.44')).from).toBe('127.0.0.44');
    }
  });

  it('answers everything that comes at once, each its own', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peers = await Promise.all(Array.from({ length: 8 }, () => Peer.on(CLIENT)));
    const each = 60;
    for (let i = 0; i < each; i++) {
      const names = ['netflix.com', `n${i}.example`, 'localhost'];
      for (const peer of peers)
        await peer.send(query(names[i % 3], 'A', { id: i }), stage.port(), '127.0.0.40');
    }
    for (const peer of peers) {
      const ids = (await peer.got(each)).map(({ text }) => Buffer.from(text, 'latin1').readUInt16BE(0));
      expect(ids.sort((x, y) => x - y)).toEqual(Array.from({ length: each }, (_, i) => i));
    }
  });

  it('ignores packets other than queries, and goes on', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(CLIENT);
    const response = query('netflix.com');
    response[2] |= 0x80;
    for (const junk of [Buffer.alloc(0), Buffer.alloc(11), response])
      await peer.send(junk, stage.port(), '127.0.0.40');
    expect((await ask(peer, query('netflix.com'), stage.port(), '127.0.0.40')).answers).toHaveLength(2);
    expect(peer.received).toHaveLength(1);
    expect(stage.counted(QueryVerdict.DROPPED)).toBe(3);
  });

  it('answers a query that is longer than any needs to be with FORMERR or whole, never with silence', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(CLIENT);
    const long = Buffer.concat([query('netflix.com'), Buffer.alloc(20_000, 1)]);
    expect((await ask(peer, long, stage.port(), '127.0.0.40')).answers).toHaveLength(2);
    const options = [{ code: 65001, data: Buffer.alloc(5000) }] as never[];
    const padded = await ask(
      peer,
      query('netflix.com', 'A', { opt: { options } }),
      stage.port(),
      '127.0.0.40',
    );
    expect([Rcode.FORMERR, Rcode.NOERROR]).toContain(padded.rcode);
  });

  it('is bound by a change of the list with the next query, growth of its tables included', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(STRANGER);
    const rcode = async (): Promise<number> =>
      (await ask(peer, query('netflix.com'), stage.port(), '127.0.0.40')).rcode;
    expect(await rcode()).toBe(Rcode.REFUSED);
    stage.edge.register(STRANGER);
    expect(await rcode()).toBe(Rcode.NOERROR);
    stage.edge.unregister(STRANGER);
    expect(await rcode()).toBe(Rcode.REFUSED);
    // Outgrows the first table more than once: readers must switch to the new one.
    for (let i = 0; i < 20_000; i++)
      stage.edge.register(`100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`);
    stage.edge.register(STRANGER);
    expect(await rcode()).toBe(Rcode.NOERROR);
    stage.edge.unregister(STRANGER);
    expect(await rcode()).toBe(Rcode.REFUSED);
  });

  it('answers from the cache once that is filled, without asking the resolver', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(CLIENT);
    stage.edge.cacheAnswer('held.example', [a('held.example', 300, '192.0.2.9')]);
    const { answers } = await ask(peer, query('held.example'), stage.port(), '127.0.0.40');
    expect(answers[0]).toMatch(/^held\.example A (300|299|298) 192\.0\.2\.9$/);
    expect(stage.resolving).toBe(0);
  });

  it('does not let slow answers hold up others, and answers them after stop', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(CLIENT);
    await peer.send(query('a.slow.example', 'A', { id: 1 }), stage.port(), '127.0.0.40');
    expect((await ask(peer, query('netflix.com', 'A', { id: 2 }), stage.port(), '127.0.0.40')).reply.id).toBe(
      2,
    );
    while (stage.resolving === 0) await new Promise((resolve) => setImmediate(resolve));
    await stage.engine.stop();
    stage.release();
    await stage.answerer.idle();
    await stage.engine.close();
    const late = (await peer.got(2))[1];
    expect(Buffer.from(late.text, 'latin1').readUInt16BE(0)).toBe(1);
  });

  it('says which address it could not have, and leaves nothing open then', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const taken = `127.0.0.40:${stage.port()}`;
    const probe = await Peer.on('127.0.0.45');
    const free = `127.0.0.45:${probe.port}`;
    closeAll();
    const failed = new Stage().start(name, [free, taken]);
    await expect(failed).rejects.toThrow(ListenError);
    await expect(failed).rejects.toThrow(
      `dns.udp: cannot listen on ${taken}: it is in use by another process`,
    );
    await expect(new Stage().start(name, ['203.0.113.77:0'])).rejects.toThrow(/no interface of this machine/);
    expect((await new Stage().start(name, [free])).engine.addresses).toEqual([parseSocketAddress(free)]);
  });

  it('may be closed twice, and sends nothing after that', async () => {
    const stage = await new Stage().start(name, ['127.0.0.40:0']);
    const peer = await Peer.on(CLIENT);
    await peer.send(query('a.slow.example'), stage.port(), '127.0.0.40');
    while (stage.resolving === 0) await new Promise((resolve) => setImmediate(resolve));
    await stage.engine.stop();
    await stage.engine.close();
    await stage.engine.close();
    stage.release();
    await stage.answerer.idle();
    await stage.engine.stop();
    expect(peer.received).toEqual([]);
    expect(stage.failures).toEqual([]);
  });

  it('may have no address at all', async () => {
    const stage = await new Stage().start(name, []);
    expect(stage.engine.addresses).toEqual([]);
    await stage.engine.publish({});
  });
});

describe.runIf(engines.includes('mmsg'))('UDP by mmsg alone', () => {
  it.each([
    ['0.0.0.0:0', CLIENT, ['127.0.0.51', '127.0.0.52', '127.0.0.1']],
    ['[::]:0', '::1', ['::1']],
  ])('on %s answers from the address that was asked, deferred answers too', async (listen, client, asked) => {
    const stage = await new Stage().start('mmsg', [listen]);
    const peer = await Peer.on(client);
    for (const address of asked) {
      expect((await ask(peer, query('netflix.com'), stage.port(), address)).from).toBe(address);
      expect((await ask(peer, query(`x.example`), stage.port(), address)).from).toBe(address);
    }
  });

  it('spreads sources over its threads, each of which counts for itself', async () => {
    const stage = await new Stage().start('mmsg', ['127.0.0.40:0']);
    expect(stage.counters).toHaveLength(WORKERS);
    for (let i = 0; i < 32; i++) {
      await ask(await Peer.on(CLIENT), query('netflix.com'), stage.port(), '127.0.0.40');
    }
    const index = queryCounter(Transport.UDP, QueryVerdict.STEERED);
    const counts = stage.counters.map((block) => block.values[index]);
    expect(counts[0] + counts[1]).toBe(32);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  it('has published when every thread works with the new tables, however many publish at once', async () => {
    const stage = await new Stage().start('mmsg', ['127.0.0.40:0']);
    const { edge } = stage;
    const other = { ...REGIONS, us: { relays: [{ address: '192.0.2.99' }] } };
    const share = edge.steering.rebuild(new TestEdge({ regions: other }).catalog);
    const published = [
      stage.engine.publish({}),
      stage.engine.publish({ catalog: share }),
      stage.engine.publish({}),
    ];
    await published[1];
    for (let i = 0; i < 12; i++) {
      const { answers } = await ask(await Peer.on(CLIENT), query('netflix.com'), stage.port(), '127.0.0.40');
      expect(answers).toEqual(['netflix.com A 60 192.0.2.99']);
    }
    await Promise.all(published);
  });

  it('does not keep a publisher waiting once it has stopped', async () => {
    const stage = await new Stage().start('mmsg', ['127.0.0.40:0']);
    const pending = stage.engine.publish({});
    await stage.engine.stop();
    await pending;
    await stage.engine.publish({});
  });

  it('limits strangers over all its threads together', async () => {
    const stage = await new Stage(new TestEdge({ rateLimit: { perSecond: 0.001, burst: 5 } })).start('mmsg', [
      '127.0.0.40:0',
    ]);
    const peers = await Promise.all(Array.from({ length: 16 }, () => Peer.on(STRANGER)));
    for (const peer of peers) await peer.send(query('netflix.com'), stage.port(), '127.0.0.40');
    while (stage.counted(QueryVerdict.REFUSED) + stage.counted(QueryVerdict.RATELIMITED) < 16) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Each of two threads may pass one that the other has counted.
    expect(stage.counted(QueryVerdict.REFUSED)).toBeLessThanOrEqual(6);
    expect(stage.counted(QueryVerdict.REFUSED)).toBeGreaterThanOrEqual(5);
  });
});

it('the sources of node sockets are those of the packets', () => {
  expect(sourceFromText('192.0.2.200')).toEqual({ family: 4, words: [0xc00002c8, 0, 0, 0] });
  expect(sourceFromText('2001:db8::1')).toEqual({ family: 6, words: [0x20010db8, 0, 0, 1] });
});
