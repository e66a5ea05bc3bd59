import type * as packet from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryReader } from '../../../src/resolver/cache/index.ts';
import {
  a,
  answerWith,
  build,
  cname,
  lines,
  ns,
  plainTally,
  questionFor,
  raw,
  reply,
  rrsig,
  soa,
  through,
} from './messages.ts';

const WWW = 'www.example.com';

describe('an entry of a positive answer', () => {
  it("has the answer section, with the client's case of the name", () => {
    const built = build(reply({ answers: [a('WWW.Example.com', 300, '192.0.2.1')] }))!;
    const out = answerWith(new EntryReader(built.entry, 100), 'wWw.eXample.com', 'A', 100)!;
    expect(out.indexOf('wWw')).toBe(13);
    expect(out.length).toBe(12 + 17 + 4 + 16);
    expect(built).toMatchObject({ ttlSeconds: 300, cacheable: true });
  });

  it('puts the CNAME chain before the addresses, however the upstream ordered it', () => {
    const answers = [
      a('c.example.net', 60, '192.0.2.1'),
      cname('b.example.net', 50, 'c.example.net'),
      a('c.example.net', 60, '192.0.2.2'),
      cname(WWW, 40, 'B.example.net'),
    ];
    expect(lines(through(reply({ answers })).answers)).toEqual([
      `${WWW} CNAME 40 B.example.net`,
      'B.example.net CNAME 50 c.example.net',
      'c.example.net A 60 192.0.2.1',
      'c.example.net A 60 192.0.2.2',
    ]);
  });

  it('has the least TTL of its records', () => {
    const answers = [cname(WWW, 40, 'b.example.net'), a('b.example.net', 30, '192.0.2.1')];
    expect(build(reply({ answers }))!.ttlSeconds).toBe(30);
  });

  it('gives an RRset of mixed TTLs the least of them (RFC 2181 5.2)', () => {
    const answers = [a(WWW, 300, '192.0.2.1'), a(WWW, 20, '192.0.2.2'), a(WWW, 100, '192.0.2.3')];
    expect(through(reply({ answers })).answers!.map((record) => (record as packet.StringAnswer).ttl)).toEqual(
      [20, 20, 20],
    );
  });

  it('takes a TTL with the most significant bit set for 0 (RFC 2181 8), which is not stored', () => {
    const message = reply({ answers: [a(WWW, 300, '192.0.2.1')] });
    message[message.length - 10] = 0x80;
    expect(build(message)).toMatchObject({ ttlSeconds: 0, cacheable: false });
    expect(lines(through(message, { atSeconds: 100 }).answers)).toEqual([`${WWW} A 0 192.0.2.1`]);
  });

  it('keeps TTLs within the limits', () => {
    const limits = { minTtlSeconds: 60, maxTtlSeconds: 600 };
    const low = reply({ answers: [a(WWW, 0, '192.0.2.1')] });
    const high = reply({ answers: [a(WWW, 601, '192.0.2.1')] });
    expect(build(low, { limits })).toMatchObject({ ttlSeconds: 60, cacheable: true });
    expect(lines(through(high, { limits }).answers)).toEqual([`${WWW} A 600 192.0.2.1`]);
  });

  it('has no record that the question does not lead to (cache poisoning)', () => {
    const message = reply({
      answers: [
        a('bank.example', 300, '203.0.113.6'),
        cname('bank.example', 300, WWW),
        a(WWW, 300, '192.0.2.1'),
        a('x.www.example.com', 300, '203.0.113.6'),
        { type: 'TXT', name: WWW, ttl: 300, data: 'no' },
      ],
      authorities: [ns('example.com', 300, 'ns.evil.example'), ns('com', 300, 'ns.evil.example')],
      additionals: [a('ns.evil.example', 300, '203.0.113.6'), a('bank.example', 300, '203.0.113.6')],
    });
    const out = through(message);
    expect(lines(out.answers)).toEqual([`${WWW} A 300 192.0.2.1`]);
    expect(out.authorities).toEqual([]);
    expect(out.additionals).toEqual([]);
  });

  it('leaves out records of another class', () => {
    const message = reply({
      answers: [a(WWW, 300, '192.0.2.1'), { ...a(WWW, 3, '192.0.2.9'), class: 'CH' }] as never,
    });
    expect(lines(through(message).answers)).toEqual([`${WWW} A 300 192.0.2.1`]);
  });

  it('has a DNAME before its synthesized CNAME (RFC 6672 3.1)', () => {
    const answers = [
      cname(WWW, 0, 'www.example.net'),
      { type: 'DNAME', name: 'example.com', ttl: 70, data: 'example.net' } as packet.Answer,
      a('www.example.net', 60, '192.0.2.1'),
    ];
    expect(lines(through(reply({ answers })).answers)).toEqual([
      'example.com DNAME 70 example.net',
      `${WWW} CNAME 0 www.example.net`,
      'www.example.net A 60 192.0.2.1',
    ]);
  });

  it('answers a question for CNAME with the CNAME alone', () => {
    const answers = [cname(WWW, 40, 'b.example.net'), a('b.example.net', 60, '192.0.2.1')];
    expect(lines(through(reply({ type: 'CNAME', answers })).answers)).toEqual([
      `${WWW} CNAME 40 b.example.net`,
    ]);
  });

  it('has RRSIGs behind their RRsets with DO, and none without', () => {
    const answers = [rrsig(WWW, 300, 'A'), rrsig(WWW, 300, 'TXT'), a(WWW, 300, '192.0.2.1')];
    const types = (dnssecOk: boolean): string[] =>
      through(reply({ answers }), { dnssecOk }).answers!.map((record) => record.type);
    expect(types(true)).toEqual(['A', 'RRSIG']);
    expect(types(false)).toEqual(['A']);
  });

  it('with DO keeps the signed NSEC that proves a wildcard (RFC 4035 3.1.3), without DO drops it', () => {
    const nsec = {
      type: 'NSEC',
      name: 'a.example.com',
      ttl: 90,
      data: { nextDomain: 'z.example.com', rrtypes: ['A'] },
    };
    const parts = {
      answers: [a(WWW, 300, '192.0.2.1'), rrsig(WWW, 300, 'A')],
      authorities: [
        nsec as packet.Answer,
        rrsig('a.example.com', 90, 'NSEC'),
        ns('example.com', 9, 'ns.example.com'),
      ],
    };
    expect(through(reply(parts), { dnssecOk: true }).authorities!.map((r) => r.type)).toEqual([
      'NSEC',
      'RRSIG',
    ]);
    expect(through(reply(parts)).authorities).toEqual([]);
  });

  it('passes AD on', () => {
    const answers = [a(WWW, 300, '192.0.2.1')];
    const with0 = build(reply({ answers }))!;
    const withAd = build(reply({ answers, flags: 1 << 5 }))!;
    expect(new EntryReader(with0.entry, 100).authenticData).toBe(false);
    expect(new EntryReader(withAd.entry, 100).authenticData).toBe(true);
  });
});

describe('an entry of a negative answer', () => {
  it.each([
    [3600, 300, 300],
    [200, 300, 200],
    [90_000, 90_000, 10_800],
  ])(
    'with SOA TTL %i and MINIMUM %i is kept %i s, and the SOA says so (RFC 2308 5)',
    (ttl, minimum, kept) => {
      const message = reply({ rcode: 3, authorities: [soa('example.com', ttl, minimum)] });
      const built = build(message, { limits: { minTtlSeconds: 0, maxTtlSeconds: 86_400 } })!;
      expect(built).toMatchObject({ ttlSeconds: kept, cacheable: true });
      const out = through(message);
      expect(out.authorities).toHaveLength(1);
      expect(out.authorities![0]).toMatchObject({ type: 'SOA', name: 'example.com', ttl: kept });
      expect(new EntryReader(built.entry, 100).rcode).toBe(3);
    },
  );

  it('is not stored without a SOA (RFC 2308 5), nor with the SOA of another zone', () => {
    expect(build(reply({ rcode: 3 }))).toMatchObject({ cacheable: false });
    expect(build(reply({ authorities: [ns('example.com', 60, 'ns.example.com')] }))).toMatchObject({
      cacheable: false,
    });
    for (const zone of ['example.net', 'a.www.example.com', 'ww.example.com', 'xample.com']) {
      const message = reply({ authorities: [soa(zone, 60, 60)] });
      expect(build(message)).toMatchObject({ cacheable: false });
      expect(through(message).authorities).toEqual([]);
    }
  });

  it("behind a CNAME needs the SOA of the chain's end", () => {
    const answers = [cname(WWW, 500, 'b.example.net')];
    const other = build(reply({ rcode: 3, answers, authorities: [soa('example.com', 60, 60)] }))!;
    const built = build(reply({ rcode: 3, answers, authorities: [soa('example.net', 60, 60)] }))!;
    expect(other.cacheable).toBe(false);
    expect(built).toMatchObject({ cacheable: true, ttlSeconds: 60 });
    const out = through(reply({ rcode: 3, answers, authorities: [soa('example.net', 60, 60)] }));
    expect(lines(out.answers)).toEqual([`${WWW} CNAME 500 b.example.net`]);
  });

  it('of NXDOMAIN has no records of the type asked for', () => {
    const message = reply({
      rcode: 3,
      answers: [a(WWW, 9, '192.0.2.1')],
      authorities: [soa('example.com', 60, 60)],
    });
    expect(through(message).answers).toEqual([]);
  });

  it("with DO keeps the SOA's RRSIG and the signed denials", () => {
    const nsec = { type: 'NSEC', name: WWW, ttl: 90, data: { nextDomain: 'z.example.com', rrtypes: ['A'] } };
    const unsigned = { ...nsec, name: 'u.example.com' };
    const authorities = [
      soa('example.com', 60, 60),
      rrsig('example.com', 60, 'SOA'),
      nsec as packet.Answer,
      rrsig(WWW, 90, 'NSEC'),
      unsigned as packet.Answer,
    ];
    const out = through(reply({ type: 'TXT', authorities }), { dnssecOk: true });
    expect(out.authorities!.map((record) => record.type)).toEqual(['SOA', 'RRSIG', 'NSEC', 'RRSIG']);
  });
});

describe('replies that are not stored, or not replies', () => {
  it.each([1, 2, 4, 5, 6, 9])('rcode %i is rendered without records and not stored', (rcode) => {
    const built = build(
      reply({ rcode, answers: [a(WWW, 300, '192.0.2.1')], authorities: [soa('com', 9, 9)] }),
    )!;
    const view = new EntryReader(built.entry, 100);
    expect(built).toMatchObject({ cacheable: false, ttlSeconds: 0 });
    expect([view.rcode, view.answerCount, view.authorityCount]).toEqual([rcode, 0, 0]);
  });

  it('an extended rcode, whose upper bits are in OPT, becomes SERVFAIL rather than NOERROR', () => {
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      extendedRcode: 1,
      ednsVersion: 0,
      flags: 0,
      options: [],
    };
    const built = build(reply({ answers: [a(WWW, 9, '192.0.2.1')], additionals: [opt as never] }))!;
    expect(built.cacheable).toBe(false);
    expect(new EntryReader(built.entry, 100).rcode).toBe(2);
  });

  it('a truncated reply, a query, another question, class or type gives null', () => {
    const answers = [a(WWW, 300, '192.0.2.1')];
    const good = reply({ answers });
    expect(build(reply({ answers, flags: 1 << 9 }))).toBeNull();
    const query = Buffer.from(good);
    query[2] = 0;
    expect(build(query)).toBeNull();
    expect(build(good, { question: questionFor('wwx.example.com') })).toBeNull();
    expect(build(good, { question: questionFor('w.example.com') })).toBeNull();
    expect(build(good, { question: questionFor(WWW, 'AAAA') })).toBeNull();
    expect(build(good, { question: questionFor('WWW.example.COM') })).not.toBeNull();
  });

  it('a chain that loops or is longer than 16 gives null', () => {
    const round = [cname(WWW, 9, 'b.test'), cname('b.test', 9, WWW)];
    expect(build(reply({ answers: round }))).toBeNull();
    const chain = (length: number): packet.Answer[] => {
      const links = Array.from({ length }, (_, i) =>
        cname(i === 0 ? WWW : `c${i}.test`, 9, `c${i + 1}.test`),
      );
      return [...links, a(`c${length}.test`, 9, '192.0.2.1')];
    };
    expect(build(reply({ answers: chain(16) }))).toMatchObject({ cacheable: true });
    expect(build(reply({ answers: chain(17) }))).toBeNull();
  });

  it('a record cut short gives null, in a dropped section, too', () => {
    const message = reply({
      answers: [a(WWW, 300, '192.0.2.1')],
      authorities: [ns('example.com', 60, 'ns.example.com')],
      additionals: [a('ns.example.com', 60, '192.0.2.53')],
    });
    for (let length = 0; length < message.length; length++) {
      const question = questionFor(WWW);
      const cut = message.subarray(0, length);
      expect(build(cut, { question })).toBeNull();
    }
    expect(build(message)).not.toBeNull();
  });

  it('an A record that is not 4 bytes gives null', () => {
    const message = reply({ answers: [{ type: 'TXT', name: WWW, ttl: 9, data: 'ab' } as packet.Answer] });
    message[message.length - 10 - 2] = 1;
    expect(build(message)).toBeNull();
  });
});

describe('aging', () => {
  it('subtracts the seconds since it was stored from every TTL', () => {
    const answers = [cname(WWW, 400, 'b.example.net'), a('b.example.net', 300, '192.0.2.1')];
    const built = build(reply({ answers }), { nowSeconds: 1000 })!;
    for (const age of [0, 1, 299]) {
      const view = new EntryReader(built.entry, 1000 + age);
      expect(view.ttlSeconds).toBe(300 - age);
      expect(view.originalTtlSeconds).toBe(300);
      const out = answerWith(view, WWW, 'A', 1000 + age)!;
      expect(lines(through(out).answers)).toEqual([
        `${WWW} CNAME ${400 - age} b.example.net`,
        `b.example.net A ${300 - age} 192.0.2.1`,
      ]);
    }
  });

  it("ends at 0, and a clock behind the writer's adds nothing", () => {
    const built = build(reply({ answers: [a(WWW, 5, '192.0.2.1')] }), { nowSeconds: 1000 })!;
    const at = (now: number): string[] =>
      lines(through(answerWith(new EntryReader(built.entry, now), WWW, 'A', now)!).answers);
    expect(at(1009)).toEqual([`${WWW} A 0 192.0.2.1`]);
    expect(at(999)).toEqual([`${WWW} A 5 192.0.2.1`]);
  });
});

describe('truncation', () => {
  it('keeps whole RRsets and counts their records (RFC 2181 9)', () => {
    const addresses = Array.from({ length: 30 }, (_, i) => a('b.example.net', 60, `192.0.2.${i}`));
    const answers = [cname(WWW, 60, 'b.example.net'), ...addresses];
    const built = build(reply({ answers }))!;
    const chain = answerWith(new EntryReader(built.entry, 101), WWW, 'A', 101, 512)!;
    expect(lines(through(chain).answers)).toEqual([`${WWW} CNAME 59 b.example.net`]);
    const none = answerWith(new EntryReader(built.entry, 101), WWW, 'A', 101, 40)!;
    expect(none.length).toBe(12 + WWW.length + 2 + 4);
    const view = new EntryReader(built.entry, 101);
    const whole = answerWith(view, WWW, 'A', 101, 1232)!;
    expect([view.answerCount, view.authorityCount]).toEqual([31, 0]);
    expect(through(whole).answers).toHaveLength(31);
  });

  it('keeps an RRset and its RRSIGs together', () => {
    const answers = [a(WWW, 60, '192.0.2.1'), rrsig(WWW, 60, 'A')];
    const built = build(reply({ answers }), { dnssecOk: true })!;
    const view = new EntryReader(built.entry, 100);
    expect(answerWith(view, WWW, 'A', 100, 100)!.length).toBe(33);
    expect(view.answerCount).toBe(0);
  });
});

const label = fc.constantFrom('a', 'b', 'www', 'example', 'com', 'x-1');
const anyName = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const ttl = fc.nat(100_000);
const record = fc.oneof(
  fc.tuple(anyName, ttl, fc.nat(255)).map(([name, t, i]) => a(name, t, `192.0.2.${i}`)),
  fc.tuple(anyName, ttl, anyName).map(([name, t, target]) => cname(name, t, target)),
  fc.tuple(anyName, ttl, anyName).map(([name, t, target]) => ns(name, t, target)),
  fc
    .tuple(anyName, ttl, anyName)
    .map(
      ([name, t, exchange]) =>
        ({ type: 'MX', name, ttl: t, data: { preference: 1, exchange } }) as packet.Answer,
    ),
);

/** The same selection as the code's, written for positive answers from decoded records alone. */
function expected(name: string, type: string, records: packet.Answer[]): string[] | null {
  const sets: packet.Answer[][] = [];
  const seen = new Set<string>();
  let target = name;
  for (;;) {
    if (seen.has(target) || sets.length > 16) return null;
    seen.add(target);
    const owned = records.filter((r) => r.name === target);
    const final = owned.filter((r) => r.type === type);
    if (final.length > 0) {
      sets.push(final);
      break;
    }
    const alias = owned.find((r) => r.type === 'CNAME') as packet.StringAnswer | undefined;
    if (alias === undefined) break;
    sets.push([alias]);
    target = alias.data;
  }
  return sets.flatMap((set) => {
    const least = Math.min(86_400, ...set.map((r) => (r as packet.StringAnswer).ttl!));
    return lines(set.map((r) => ({ ...r, ttl: least }) as packet.Answer));
  });
}

describe('properties', () => {
  it('dns-packet reads from the rendering just what the reply has for the question', () => {
    fc.assert(
      fc.property(
        anyName,
        fc.constantFrom('A', 'MX', 'NS', 'CNAME'),
        fc.array(record, { maxLength: 12 }),
        (name, type, answers) => {
          const message = reply({ name, type, answers });
          const want = expected(name, type, answers);
          const built = build(message);
          if (want === null || built === null) {
            expect(built).toBe(want);
            return;
          }
          expect(lines(through(message).answers)).toEqual(want);
        },
      ),
      { numRuns: 1500 },
    );
  });

  const seeds = [
    reply({
      answers: [cname(WWW, 40, 'b.example.net'), a('b.example.net', 60, '192.0.2.1'), rrsig(WWW, 9, 'CNAME')],
    }),
    reply({ rcode: 3, authorities: [soa('example.com', 60, 60), rrsig('example.com', 60, 'SOA')] }),
  ];
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 8 });

  it('mutated replies give null or an entry that renders to a valid message', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), edits, fc.boolean(), (seed, changes, dnssecOk) => {
        const message = Buffer.from(seed);
        for (const [at, byte] of changes) message[2 + (at % (message.length - 2))] = byte;
        const built = build(message, { dnssecOk, question: questionFor(WWW) });
        if (built === null) return;
        const view = new EntryReader(built.entry, 101);
        const out = answerWith(view, WWW, 'A', 101)!;
        expect(build(out, { dnssecOk, question: questionFor(WWW) })).not.toBeNull();
      }),
      { numRuns: 5000 },
    );
  });

  it('random bytes never throw', () => {
    const header = [0, 1, 0x80, 0, 0, 1];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, withQuestion) => {
        const question = withQuestion ? [0, 0, 1, 0, 1] : [];
        const message = raw(header, [...bytes.slice(0, 6)], question, [...bytes.slice(6)]);
        const root = questionFor('.');
        build(message, { question: root, dnssecOk: true });
        build(bytes, { question: root });
      }),
      { numRuns: 5000 },
    );
  });
});

it('the plain builder takes part in these tests', () => {
  expect(plainTally.built).toBeGreaterThan(100);
});
