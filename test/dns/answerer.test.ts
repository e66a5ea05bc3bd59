import * as dnsPacket from 'dns-packet';
import { describe, expect, it, vi } from 'vitest';
import { Answerer, TCP_TRAITS, UDP_TRAITS } from '../../src/dns/index.ts';
import { QueryVerdict } from '../../src/dns/verdict.ts';
import { Counter, queryCounter, Transport } from '../../src/metrics/index.ts';
import { sourceFromText } from '../../src/net/index.ts';
import { Tried } from '../../src/resolver/forward/index.ts';
import type { Resolved, ResolveRequest } from '../../src/resolver/index.ts';
import { ExtendedError, Rcode, textFromName } from '../../src/wire/index.ts';
import { a, answering, HOME, query, type Seen, STRANGER, seen, soa, TestEdge } from './support.ts';

const DEAD: Resolved = {
  entry: null,
  rcode: Rcode.SERVFAIL,
  extendedError: ExtendedError.NO_REACHABLE_AUTHORITY,
};
const OPT = { opt: {} };

/** An answerer whose resolver answers when the test says so. */
class Scene {
  readonly edge = new TestEdge();
  readonly asked: ResolveRequest[] = [];
  readonly names: string[] = [];
  readonly refreshed: string[] = [];
  readonly faults: unknown[] = [];
  private readonly answers: { resolve(resolved: Resolved): void; reject(reason: unknown): void }[] = [];
  readonly answerer = new Answerer(
    this.edge.state,
    answering(
      (request) => {
        this.asked.push({ ...request, name: request.name.slice(0, request.nameLength) });
        this.names.push(textFromName(request.name.slice(0, request.nameLength)));
        return new Promise<Resolved>((resolve, reject) => this.answers.push({ resolve, reject }));
      },
      (request) => this.refreshed.push(textFromName(request.name.slice(0, request.nameLength))),
    ),
    () => this.edge.nowMs,
    (fault) => this.faults.push(fault),
  );

  /** Starts a query; resolves to its reply. */
  ask(message: Uint8Array, source = HOME, traits = UDP_TRAITS): Promise<Seen | null> {
    return new Promise((resolve) => {
      this.answerer.answer(message, sourceFromText(source)!, traits, (reply) =>
        resolve(reply === null ? null : seen(0, Buffer.from(reply))),
      );
    });
  }

  /** Lets the resolver answer its i-th question. */
  resolve(i: number, resolved: Resolved): void {
    this.answers[i].resolve(resolved);
  }

  reject(i: number, reason: unknown): void {
    this.answers[i].reject(reason);
  }

  counted(verdict: QueryVerdict, transport: Transport = Transport.UDP): number {
    return this.edge.counters.values[queryCounter(transport, verdict)];
  }
}

const whole = (entry: Uint8Array): Resolved => ({ entry, cached: false });

describe('a query that decide answers', () => {
  it('is answered within the call', () => {
    const scene = new Scene();
    let reply: Buffer | null = null;
    scene.answerer.answer(query('netflix.com'), sourceFromText(HOME)!, UDP_TRAITS, (bytes) => {
      reply = Buffer.from(bytes!);
    });
    expect(seen(0, reply!).answers).toHaveLength(2);
    expect(scene.counted(QueryVerdict.STEERED)).toBe(1);
    expect(scene.asked).toEqual([]);
  });

  it('and gets no reply is told so', async () => {
    const scene = new Scene();
    expect(await scene.ask(query('a').subarray(0, 5))).toBeNull();
    expect(scene.counted(QueryVerdict.DROPPED)).toBe(1);
  });

  it('has its source read from a socket of either family, mapped addresses as IPv4', async () => {
    const scene = new Scene();
    expect((await scene.ask(query('netflix.com'), `::ffff:${HOME}`))?.rcode).toBe(Rcode.NOERROR);
    expect((await scene.ask(query('netflix.com'), '2001:db8:1:2::9'))?.rcode).toBe(Rcode.NOERROR);
    expect((await scene.ask(query('netflix.com'), STRANGER))?.rcode).toBe(Rcode.REFUSED);
    expect(sourceFromText('fe80::1%eth0')).toEqual(sourceFromText('fe80::1'));
    expect(sourceFromText(undefined)).toBeNull();
  });
});

describe('a query that an upstream has to answer', () => {
  it('goes to the resolver with name, type, DO and CD, and nothing else', async () => {
    const scene = new Scene();
    const flags = dnsPacket.RECURSION_DESIRED | dnsPacket.CHECKING_DISABLED;
    void scene.ask(query('WWW.Example.com', 'AAAA', { flags, opt: { flags: dnsPacket.DNSSEC_OK } }));
    expect(scene.names).toEqual(['www.example.com']);
    expect(scene.asked[0]).toMatchObject({ type: 28, qclass: 1, dnssecOk: true, checkingDisabled: true });
  });

  it('is answered with its own ID, case and OPT, though others came in between', async () => {
    const scene = new Scene();
    const first = scene.ask(query('One.example', 'A', { id: 1, opt: {} }));
    const second = scene.ask(query('tWo.example', 'A', { id: 2 }), HOME, TCP_TRAITS);
    await scene.ask(query('netflix.com', 'AAAA'));
    scene.resolve(1, whole(scene.edge.entry('two.example', [a('two.example', 300, '192.0.2.2')])));
    const two = await second;
    scene.resolve(0, whole(scene.edge.entry('one.example', [a('one.example', 300, '192.0.2.1')])));
    const one = await first;
    expect([two?.reply.id, two?.answers, two?.hasOpt]).toEqual([2, ['tWo.example A 300 192.0.2.2'], false]);
    expect([one?.reply.id, one?.answers, one?.hasOpt]).toEqual([1, ['One.example A 300 192.0.2.1'], true]);
    expect([
      scene.counted(QueryVerdict.RESOLVED),
      scene.counted(QueryVerdict.RESOLVED, Transport.TCP),
    ]).toEqual([1, 1]);
  });

  it('gets TC where the answer is too large for its transport', async () => {
    const scene = new Scene();
    const records = Array.from({ length: 100 }, (_, i) => a('big.example', 300, `192.0.2.${i}`));
    const entry = whole(scene.edge.entry('big.example', records));
    const udp = scene.ask(query('big.example'));
    const tcp = scene.ask(query('big.example'), HOME, TCP_TRAITS);
    scene.resolve(0, entry);
    scene.resolve(1, entry);
    expect([(await udp)?.reply.flag_tc, (await udp)?.answers.length]).toEqual([true, 0]);
    expect([(await tcp)?.reply.flag_tc, (await tcp)?.answers.length]).toEqual([false, 100]);
  });

  it('gets SERVFAIL and why where there is no answer', async () => {
    const scene = new Scene();
    const reply = scene.ask(query('dead.example', 'A', OPT));
    const plain = scene.ask(query('dead.example'));
    scene.resolve(0, DEAD);
    scene.resolve(1, DEAD);
    expect([(await reply)?.rcode, (await reply)?.extendedError]).toEqual([
      Rcode.SERVFAIL,
      ExtendedError.NO_REACHABLE_AUTHORITY,
    ]);
    expect([(await plain)?.rcode, (await plain)?.hasOpt]).toEqual([Rcode.SERVFAIL, false]);
    expect((await plain)?.reply.questions?.[0].name).toBe('dead.example');
    expect(scene.counted(QueryVerdict.SERVFAIL)).toBe(2);
  });

  it.each([
    ['an answer', [a('old.example', 100, '192.0.2.1')], 0, ExtendedError.STALE_ANSWER],
    ['that there is no such name', [], 3, ExtendedError.STALE_NXDOMAIN],
  ] as const)(
    'gets %s past its time where there is no other, TTL 30, and is told so',
    async (_, answers, rcode, why) => {
      const scene = new Scene();
      scene.edge.cacheAnswer('old.example', [...answers], { rcode, authorities: [soa('example', 100)] });
      scene.edge.nowMs += 200_000;
      const reply = scene.ask(query('old.example', 'A', OPT));
      scene.resolve(0, DEAD);
      const stale = await reply;
      expect([stale?.rcode, stale?.extendedError]).toEqual([rcode, why]);
      const records = [...stale!.answers, ...stale!.authorities];
      expect(records.length).toBeGreaterThan(0);
      expect(records.every((line) => line.split(' ')[2] === '30')).toBe(true);
      expect(scene.counted(QueryVerdict.STALE)).toBe(1);
    },
  );

  it('gets an answer that came meanwhile, which is not called stale', async () => {
    const scene = new Scene();
    const reply = scene.ask(query('late.example', 'A', OPT));
    scene.edge.cacheAnswer('late.example', [a('late.example', 100, '192.0.2.1')]);
    scene.resolve(0, DEAD);
    expect([(await reply)?.answers, (await reply)?.extendedError]).toEqual([
      ['late.example A 100 192.0.2.1'],
      null,
    ]);
    expect(scene.counted(QueryVerdict.CACHED)).toBe(1);
  });

  it('is answered within 1.8 s by what is past its time, and the answer that comes later is for the next (RFC 8767 5)', async () => {
    vi.useFakeTimers();
    try {
      const scene = new Scene();
      scene.edge.cacheAnswer('old.example', [a('old.example', 100, '192.0.2.1')]);
      scene.edge.nowMs += 200_000;
      const replies: (Seen | null)[] = [];
      void scene.ask(query('old.example', 'A', OPT)).then((seen) => replies.push(seen));
      void scene.ask(query('unknown.example', 'A', OPT)).then((seen) => replies.push(seen));
      await vi.advanceTimersByTimeAsync(1700);
      expect(replies).toEqual([]);
      await vi.advanceTimersByTimeAsync(99);
      expect(replies.map((seen) => [seen?.answers, seen?.extendedError])).toEqual([
        [['old.example A 30 192.0.2.1'], 3],
      ]);
      scene.resolve(0, whole(scene.edge.entry('old.example', [a('old.example', 100, '192.0.2.2')])));
      scene.resolve(1, DEAD);
      await scene.answerer.idle();
      expect(replies).toHaveLength(2);
      expect(scene.counted(QueryVerdict.STALE)).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('of another thread is answered the same', async () => {
    const scene = new Scene();
    const reply = new Promise<Seen>((resolve) => {
      scene.answerer.answerDeferred(
        Uint8Array.from(query('x.example')),
        sourceFromText(HOME)!,
        scene.edge.nowMs,
        UDP_TRAITS,
        true,
        Tried.NOTHING,
        (bytes) => resolve(seen(0, Buffer.from(bytes!))),
      );
    });
    scene.resolve(0, whole(scene.edge.entry('x.example', [a('x.example', 9, '192.0.2.4')])));
    expect((await reply).answers).toEqual(['x.example A 9 192.0.2.4']);
    expect(scene.counted(QueryVerdict.RESOLVED)).toBe(1);
  });

  it('counts as a bootstrap name where the source is not registered', async () => {
    const scene = new Scene();
    const reply = new Promise<void>((resolve) => {
      const asked = Uint8Array.from(query('x.example'));
      scene.answerer.answerDeferred(
        asked,
        sourceFromText(STRANGER)!,
        scene.edge.nowMs,
        UDP_TRAITS,
        false,
        Tried.NOTHING,
        () => resolve(),
      );
    });
    scene.resolve(0, whole(scene.edge.entry('x.example', [a('x.example', 9, '192.0.2.4')])));
    await reply;
    expect(scene.counted(QueryVerdict.BOOTSTRAP)).toBe(1);
  });

  it('that meets a fault of this program is told so, and the fault is heard of', async () => {
    const scene = new Scene();
    const fault = new TypeError('of a test');
    const reply = scene.ask(query('x.example'));
    scene.reject(0, fault);
    expect(await reply).toBeNull();
    expect(scene.faults).toEqual([fault]);
    await scene.answerer.idle();
  });
});

it('is idle when no query waits, for everyone who asked', async () => {
  const scene = new Scene();
  await scene.answerer.idle();
  void scene.ask(query('one.example'));
  void scene.ask(query('two.example'));
  let idle = 0;
  const all = [scene.answerer.idle(), scene.answerer.idle()].map((waiting) => waiting.then(() => idle++));
  scene.resolve(0, DEAD);
  await new Promise((resolve) => setImmediate(resolve));
  expect(idle).toBe(0);
  scene.resolve(1, DEAD);
  await Promise.all(all);
  expect(idle).toBe(2);
});

it('asks nobody for a query that has waited for more than a second for its turn', () => {
  const scene = new Scene();
  expect([0, 1000, 1001].map((waitedMs) => scene.answerer.givesUp(scene.edge.nowMs - waitedMs))).toEqual([
    false,
    false,
    true,
  ]);
  expect(scene.edge.counters.values[Counter.DEFER_OVERFLOW]).toBe(1);
});

it('serves an answer in use in the last tenth of its time, and has it asked for again once', async () => {
  const scene = new Scene();
  scene.edge.cacheAnswer('Www.example', [a('Www.example', 100, '192.0.2.1')]);
  scene.edge.nowMs += 50_000;
  await scene.ask(query('www.example'));
  scene.edge.nowMs += 45_000;
  for (let i = 0; i < 3; i++) {
    expect((await scene.ask(query('www.example')))?.answers).toEqual(['www.example A 5 192.0.2.1']);
  }
  expect([scene.refreshed, scene.asked]).toEqual([['www.example'], []]);
});
