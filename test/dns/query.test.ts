import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFERRED } from '../../src/dns/index.ts';
import { QueryVerdict } from '../../src/dns/verdict.ts';

import { ExtendedError, Rcode } from '../../src/wire/index.ts';
import { a, HOME, HOME6, query, STRANGER, STRANGER6, soa, TestEdge } from './support.ts';

const { AUTHENTIC_DATA, CHECKING_DISABLED, DNSSEC_OK, RECURSION_DESIRED } = dnsPacket;
const OPT = { opt: {} };
const US_RELAYS = ['192.0.2.10', '192.0.2.11'];

/** The addresses of an answer, in order. */
const addresses = (answers: string[]): string[] => answers.map((line) => line.split(' ')[3]);

describe('a name of the home', () => {
  const TYPES = ['A', 'AAAA', 'PTR', 'SRV', 'TXT', 'NS', 'SOA', 'DNSKEY', 'CNAME', 'NAPTR'] as const;
  const SUFFIXES = ['local', 'internal', 'lan', 'home', 'home.arpa', 'service.arpa', '168.192.in-addr.arpa'];

  it.each(SUFFIXES)('goes to no upstream: %s, at the apex and below, of every type', (suffix) => {
    const edge = new TestEdge();
    for (const name of [suffix, `roku.${suffix}`, `_googlecast._tcp.${suffix}`, suffix.toUpperCase()]) {
      for (const type of TYPES) {
        const { outcome, rcode, answers, authorities } = edge.ask(query(name, type));
        expect([outcome, rcode, answers], `${name} ${type}`).toEqual([
          QueryVerdict.NEGATIVE_LOCAL,
          Rcode.NXDOMAIN,
          [],
        ]);
        expect(authorities[0]).toMatch(new RegExp(`^${suffix} SOA`, 'i'));
      }
      if (name.includes(`.${suffix}`)) {
        expect(edge.ask(query(name, 'DS')).outcome, name).toBe(QueryVerdict.NEGATIVE_LOCAL);
      }
    }
  });

  it('but DS of home.arpa itself, which proves that it is unsigned (RFC 8375 4)', () => {
    expect(new TestEdge().ask(query('home.arpa', 'DS')).outcome).toBe(DEFERRED);
  });
});

describe('a registered source that asks for a catalog name', () => {
  it.each(['netflix.com', 'www.netflix.com', 'a.b.c.netflix.com', 'WWW.NetFlix.COM', 'netflix.example.net'])(
    'gets the relays of its region for A of %s, the case kept',
    (name) => {
      const { outcome, answers, reply, rcode } = new TestEdge().ask(query(name));
      expect(outcome).toBe(QueryVerdict.STEERED);
      expect(rcode).toBe(Rcode.NOERROR);
      expect(answers.every((line) => line.startsWith(`${name} A 60 `))).toBe(true);
      expect(addresses(answers).sort()).toEqual(US_RELAYS);
      expect(reply.questions?.[0].name).toBe(name);
      expect([reply.flag_aa, reply.flag_ra, reply.flag_rd, reply.flag_tc]).toEqual([
        false,
        true,
        true,
        false,
      ]);
    },
  );

  it('gets the IPv6 addresses of those relays that have one for AAAA', () => {
    expect(new TestEdge().ask(query('netflix.com', 'AAAA')).answers).toEqual([
      'netflix.com AAAA 60 2001:db8::10',
    ]);
  });

  it.each([
    ['HTTPS', 'netflix.com', {}],
    ['SVCB', 'netflix.com', {}],
    ['AAAA', 'netflix.com', { ipv6: false }],
    ['A', 'netflix.com', { ipv4: false }],
    ['AAAA', 'bbc.co.uk', {}],
  ] as const)('gets NODATA with an SOA for %s of %s where the account has %j', (type, name, profile) => {
    const edge = new TestEdge({ profile });
    const { outcome, answers, authorities, rcode, extendedError } = edge.ask(query(`www.${name}`, type, OPT));
    expect(outcome).toBe(QueryVerdict.STEERED);
    expect([rcode, answers]).toEqual([Rcode.NOERROR, []]);
    expect(authorities).toHaveLength(1);
    expect(authorities[0]).toMatch(new RegExp(`^${name} SOA 60 .*"minimum":60`));
    expect(extendedError).toBe(ExtendedError.FORGED_ANSWER);
  });

  it('gets the family that its account has, whichever it asks by', () => {
    const edge = new TestEdge({ profile: { ipv4: true, ipv6: false } });
    expect(edge.ask(query('netflix.com', 'A'), HOME6).answers).toHaveLength(2);
    expect(edge.ask(query('netflix.com', 'AAAA'), HOME6).answers).toEqual([]);
  });

  it.each([
    ['its own region', { region: 'gb' }, 'netflix.com', ['192.0.2.20']],
    ['the region it chose for the service', { services: { netflix: 'gb' } }, 'netflix.com', ['192.0.2.20']],
    ['the only region of the service', { region: 'us' }, 'bbc.co.uk', ['192.0.2.20']],
  ])('gets relays of %s', (_, profile, name, expected) => {
    expect(addresses(new TestEdge({ profile }).ask(query(name)).answers)).toEqual(expected);
  });

  it.each(['A', 'AAAA', 'HTTPS'] as const)('has %s resolved as usual where the service is off', (type) => {
    const edge = new TestEdge({ profile: { services: { netflix: 'off' } } });
    expect(edge.ask(query('netflix.com', type)).outcome).toBe(DEFERRED);
  });

  it.each(['MX', 'TXT', 'NS', 'SOA', 'PTR', 'DS', 'CNAME'] as const)(
    'has %s of it resolved as usual',
    (type) => {
      expect(new TestEdge().ask(query('netflix.com', type)).outcome).toBe(DEFERRED);
    },
  );

  it.each(['xnetflix.com', 'com', 'netflix.com.evil.example', 'www.netflix.example.net', 'net'])(
    'has %s resolved as usual, which is another name',
    (name) => expect(new TestEdge().ask(query(name)).outcome).toBe(DEFERRED),
  );

  it('gets the relays in one order for ever; all sources together in proportion to their weights', () => {
    const edge = new TestEdge();
    expect(new TestEdge().ask(query('netflix.com')).answers).toEqual(edge.ask(query('netflix.com')).answers);
    const firsts = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      const source = `100.70.${i >> 8}.${i & 255}`;
      edge.register(source);
      const order = addresses(edge.ask(query('netflix.com'), source).answers);
      expect(addresses(edge.ask(query('www.netflix.com'), source).answers)).toEqual(order);
      firsts.set(order[0], (firsts.get(order[0]) ?? 0) + 1);
    }
    expect(firsts.get('192.0.2.11')).toBeGreaterThan(250);
    expect(firsts.get('192.0.2.10')).toBeGreaterThan(50);
  });

  it('of an IPv6 /64 gets one order, whichever device asks', () => {
    const edge = new TestEdge();
    const order = edge.ask(query('netflix.com'), '2001:db8:1:2::7').answers;
    expect(edge.ask(query('netflix.com'), '2001:db8:1:2:aaaa:bbbb:cccc:dddd').answers).toEqual(order);
  });

  it('says that the answer is not the origin where OPT was sent (EDE 4), and nothing else', () => {
    const edge = new TestEdge();
    expect(edge.ask(query('netflix.com', 'A', OPT)).extendedError).toBe(ExtendedError.FORGED_ANSWER);
    expect(edge.ask(query('netflix.com')).hasOpt).toBe(false);
  });

  it('never gets AD or AA, whatever it sets', () => {
    const flags = RECURSION_DESIRED | AUTHENTIC_DATA | dnsPacket.AUTHORITATIVE_ANSWER;
    const { bytes, reply } = new TestEdge().ask(query('netflix.com', 'A', { flags }));
    expect([bytes[3] & 0x20, reply.flag_aa]).toEqual([0, false]);
  });

  it('gets it without RD too: it is not in any cache', () => {
    const { answers, reply } = new TestEdge().ask(query('netflix.com', 'A', { flags: 0 }));
    expect(answers).toHaveLength(2);
    expect(reply.flag_rd).toBe(false);
  });
});

describe('a registered source', () => {
  it.each(['use-application-dns.net', 'mask.icloud.com', 'mask-h2.icloud.com', 'Mask.iCloud.com'])(
    'gets NXDOMAIN for the canary name %s',
    (name) => {
      const { outcome, rcode, answers, authorities } = new TestEdge().ask(query(name));
      expect(outcome).toBe(QueryVerdict.NEGATIVE_LOCAL);
      expect([rcode, answers, authorities.length]).toEqual([Rcode.NXDOMAIN, [], 1]);
    },
  );

  it.each([
    ['localhost', 'A', ['localhost A 3600 127.0.0.1']],
    ['a.localhost', 'AAAA', ['a.localhost AAAA 3600 ::1']],
  ] as const)('gets loopback for %s %s', (name, type, expected) => {
    expect(new TestEdge().ask(query(name, type)).answers).toEqual(expected);
  });

  it('gets NODATA for other types of localhost', () => {
    const { rcode, answers, authorities } = new TestEdge().ask(query('localhost', 'MX'));
    expect([rcode, answers, authorities.length]).toEqual([Rcode.NOERROR, [], 1]);
  });

  it('asks the upstream for ANY with DO, but not for a catalog name', () => {
    const opt = { flags: 0x8000 };
    expect(new TestEdge().ask(query('www.example.com', 'ANY', { opt })).outcome).toBe(DEFERRED);
    expect(new TestEdge().ask(query('netflix.com', 'ANY', { opt })).answers).toHaveLength(1);
  });

  it('gets one HINFO for ANY, whatever the name', () => {
    const { outcome, answers } = new TestEdge().ask(query('netflix.com', 'ANY'));
    expect(outcome).toBe(QueryVerdict.LOCAL);
    expect(answers).toEqual(['netflix.com HINFO 3600 {"cpu":"RFC8482","os":""}']);
  });

  it.each([
    ['AXFR', query('example.com', 'AXFR')],
    ['IXFR', query('example.com', 'IXFR')],
    ['version.bind CH TXT', query('version.bind', 'TXT', { class: 'CH' })],
    ['netflix.com CH A', query('netflix.com', 'A', { class: 'CH' })],
    ['class ANY', query('netflix.com', 'A', { class: 'ANY' })],
  ])('is REFUSED %s', (_, message) => {
    const { outcome, rcode, answers } = new TestEdge().ask(message);
    expect([outcome, rcode, answers]).toEqual([QueryVerdict.FORBIDDEN, Rcode.REFUSED, []]);
  });

  it.each([
    ['OPT', 41, Rcode.FORMERR],
    ['0', 0, Rcode.FORMERR],
    ['TSIG', 250, Rcode.NOTIMP],
    ['TKEY', 249, Rcode.NOTIMP],
    ['MAILA', 254, Rcode.NOTIMP],
    ['an unknown meta type', 128, Rcode.NOTIMP],
  ])('is told that type %s cannot be asked for', (_, type, rcode) => {
    expect(new TestEdge().ask(query('example.com', type)).rcode).toBe(rcode);
  });

  it.each([65280, 257, 46, 48])('has type %i resolved as usual', (type) => {
    expect(new TestEdge().ask(query('example.com', type)).outcome).toBe(DEFERRED);
  });

  it('has a deferred query left as it was', () => {
    const message = query('Example.COM', 'A', { opt: { flags: DNSSEC_OK } });
    const edge = new TestEdge();
    const m = Uint8Array.from([...message, ...new Uint8Array(2000)]);
    edge.ask(query('netflix.com'));
    expect(edge.ask(m.subarray(0, message.length)).outcome).toBe(DEFERRED);
    expect(m.subarray(0, message.length)).toEqual(Uint8Array.from(message));
  });

  it('is a stranger from the next query on when its registration is gone', () => {
    const edge = new TestEdge();
    expect(edge.ask(query('netflix.com')).rcode).toBe(Rcode.NOERROR);
    edge.unregister(HOME);
    expect(edge.ask(query('netflix.com')).rcode).toBe(Rcode.REFUSED);
    expect(edge.askTcp(query('netflix.com')).rcode).toBe(Rcode.REFUSED);
    edge.register(HOME);
    expect(edge.ask(query('netflix.com')).rcode).toBe(Rcode.NOERROR);
  });

  it('may be on the list by a shorter prefix', () => {
    const edge = new TestEdge();
    expect(edge.ask(query('netflix.com'), '203.0.113.9').rcode).toBe(Rcode.REFUSED);
    edge.register('203.0.113.0', {}, 24);
    edge.register('fd00:1234:5678::', {}, 48);
    expect(edge.ask(query('netflix.com'), '203.0.113.9').rcode).toBe(Rcode.NOERROR);
    expect(edge.ask(query('netflix.com'), '203.0.114.9').rcode).toBe(Rcode.REFUSED);
    expect(edge.ask(query('netflix.com'), 'fd00:1234:5678:9abc::1').rcode).toBe(Rcode.NOERROR);
    expect(edge.ask(query('netflix.com'), 'fd00:1234:5679::1').rcode).toBe(Rcode.REFUSED);
  });
});

describe('an unregistered source', () => {
  it.each([
    ['a catalog name', query('netflix.com')],
    ['any other name', query('example.com')],
    ['a special name', query('localhost')],
    ['ANY', query('example.com', 'ANY')],
    ['AXFR', query('example.com', 'AXFR')],
    ['class CH', query('version.bind', 'TXT', { class: 'CH' })],
    ['a name that is cached', query('cached.example')],
    ['an EDNS version to come', query('example.com', 'A', { opt: { ednsVersion: 1 } })],
  ])('is REFUSED %s, over UDP and TCP, IPv4 and IPv6', (_, message) => {
    const edge = new TestEdge();
    edge.cacheAnswer('cached.example', [a('cached.example', 300, '192.0.2.1')]);
    for (const source of [STRANGER, STRANGER6]) {
      for (const { outcome, rcode, answers, authorities } of [
        edge.ask(message, source),
        edge.askTcp(message, source),
      ]) {
        expect([outcome, rcode, answers, authorities]).toEqual([QueryVerdict.REFUSED, Rcode.REFUSED, [], []]);
      }
    }
  });

  it('is told why (EDE 18) over TCP where OPT was sent', () => {
    const edge = new TestEdge();
    expect(edge.askTcp(query('a.example', 'A', OPT), STRANGER).extendedError).toBe(ExtendedError.PROHIBITED);
    expect(edge.askTcp(query('a.example'), STRANGER).hasOpt).toBe(false);
  });

  it('is told why over UDP only where that makes no larger reply than the query was', () => {
    const edge = new TestEdge();
    const bare = edge.ask(query('a.example', 'A', OPT), STRANGER);
    expect([bare.hasOpt, bare.extendedError]).toEqual([true, null]);
    const options = [{ code: 65001, data: Buffer.alloc(2) }] as never[];
    const padded = edge.ask(query('a.example', 'A', { opt: { options } }), STRANGER);
    expect([padded.hasOpt, padded.extendedError]).toEqual([true, ExtendedError.PROHIBITED]);
  });

  it('never gets a reply over UDP that is larger than the query, whatever it sends', () => {
    const edge = new TestEdge();
    const bases = [
      query('netflix.com', 'A', OPT),
      query('example.com', 'ANY', { opt: { ednsVersion: 3 } }),
      query('.', 'NS'),
      query(`${'a'.repeat(63)}.example`, 'TXT', OPT),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...bases),
        fc.array(fc.tuple(fc.nat(100), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
        fc.nat(40),
        (base, changes, cut) => {
          const message = Buffer.from(base.subarray(0, base.length - (cut % base.length)));
          for (const [at, byte] of changes) if (at < message.length) message[at] = byte;
          const { bytes } = edge.ask(message, STRANGER);
          expect(bytes.length).toBeLessThanOrEqual(message.length);
          if (bytes.length === 0) return;
          expect(bytes.subarray(0, 2)).toEqual(message.subarray(0, 2));
          expect(bytes[2] & 0x80).toBe(0x80);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('is answered at a limited rate over UDP, then not at all; over TCP always', () => {
    const edge = new TestEdge({ rateLimit: { perSecond: 10, burst: 3 } });
    const outcomes = Array.from({ length: 5 }, () => edge.ask(query('netflix.com'), STRANGER));
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      QueryVerdict.REFUSED,
      QueryVerdict.REFUSED,
      QueryVerdict.REFUSED,
      QueryVerdict.RATELIMITED,
      QueryVerdict.RATELIMITED,
    ]);
    expect(outcomes[4].bytes).toHaveLength(0);
    expect(edge.ask(query('netflix.com'), '203.0.113.200').outcome).toBe(QueryVerdict.RATELIMITED);
    expect(edge.ask(query('netflix.com'), '203.0.114.1').outcome).toBe(QueryVerdict.REFUSED);
    expect(edge.askTcp(query('netflix.com'), STRANGER).outcome).toBe(QueryVerdict.REFUSED);
    expect(edge.ask(query('netflix.com')).outcome).toBe(QueryVerdict.STEERED);
    edge.nowMs += 1000;
    expect(edge.ask(query('netflix.com'), STRANGER).outcome).toBe(QueryVerdict.REFUSED);
  });

  it('is limited for malformed queries too', () => {
    const edge = new TestEdge({ rateLimit: { perSecond: 1, burst: 1 } });
    const malformed = query('example.com').subarray(0, 14);
    expect(edge.ask(malformed, STRANGER).rcode).toBe(Rcode.FORMERR);
    expect(edge.ask(malformed, STRANGER).outcome).toBe(QueryVerdict.RATELIMITED);
  });

  it('gets nothing at all where that is the policy', () => {
    const edge = new TestEdge({ unregistered: 'drop' });
    for (const message of [query('netflix.com'), query('a').subarray(0, 12)]) {
      for (const { outcome, bytes } of [edge.ask(message, STRANGER), edge.askTcp(message, STRANGER)]) {
        expect([outcome, bytes.length]).toEqual([QueryVerdict.IGNORED, 0]);
      }
    }
    expect(edge.ask(query('netflix.com')).outcome).toBe(QueryVerdict.STEERED);
  });
});

describe('an answer from the cache', () => {
  it('has its TTLs less by its age, and the ID, case, RD and CD of the query', () => {
    const edge = new TestEdge();
    const fields = { checkingDisabled: true };
    edge.cacheAnswer('www.example.com', [a('www.example.com', 300, '192.0.2.1')], fields);
    edge.nowMs += 100_000;
    const flags = RECURSION_DESIRED | CHECKING_DISABLED;
    const { outcome, reply, answers } = edge.ask(query('wWw.eXample.com', 'A', { id: 0xbeef, flags }));
    expect(outcome).toBe(QueryVerdict.CACHED);
    expect(answers).toEqual(['wWw.eXample.com A 200 192.0.2.1']);
    expect(reply).toMatchObject({ id: 0xbeef, flag_rd: true, flag_cd: true, flag_ra: true, flag_aa: false });
  });

  it('is another one for DO, and for CD', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('www.example.com', [a('www.example.com', 300, '192.0.2.1')]);
    expect(edge.ask(query('www.example.com')).outcome).toBe(QueryVerdict.CACHED);
    expect(edge.ask(query('www.example.com', 'A', { opt: { flags: DNSSEC_OK } })).outcome).toBe(DEFERRED);
    expect(
      edge.ask(query('www.example.com', 'A', { flags: RECURSION_DESIRED | CHECKING_DISABLED })).outcome,
    ).toBe(DEFERRED);
    expect(edge.ask(query('www.example.com', 'AAAA')).outcome).toBe(DEFERRED);
  });

  it('is not given past its time, nor to a query without RD', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('www.example.com', [a('www.example.com', 300, '192.0.2.1')]);
    const without = edge.ask(query('www.example.com', 'A', { flags: 0 }));
    const unknown = edge.ask(query('www.example.org', 'A', { flags: 0 }));
    expect([without.rcode, without.answers]).toEqual([Rcode.REFUSED, []]);
    expect([unknown.rcode, unknown.answers]).toEqual([Rcode.REFUSED, []]);
    edge.nowMs += 300_000;
    expect(edge.ask(query('www.example.com')).outcome).toBe(DEFERRED);
  });

  it('has AD where the upstream said it and the query asks for it, by AD or DO', () => {
    const edge = new TestEdge();
    const answers = [a('www.example.com', 300, '192.0.2.1')];
    edge.cacheAnswer('www.example.com', answers, { authenticData: true });
    edge.cacheAnswer('www.example.com', answers, { authenticData: true, dnssecOk: true });
    edge.cacheAnswer('plain.example.com', [a('plain.example.com', 300, '192.0.2.1')]);
    const ad = (message: Uint8Array): boolean => (edge.ask(message).bytes[3] & 0x20) !== 0;
    const flags = RECURSION_DESIRED | AUTHENTIC_DATA;
    expect(ad(query('www.example.com'))).toBe(false);
    expect(ad(query('www.example.com', 'A', { flags }))).toBe(true);
    expect(ad(query('www.example.com', 'A', { opt: { flags: DNSSEC_OK } }))).toBe(true);
    expect(ad(query('plain.example.com', 'A', { flags }))).toBe(false);
  });

  it('may say that there is no such name, with the SOA', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('no.example.com', [], { rcode: 3, authorities: [soa('example.com', 50)] });
    const { rcode, authorities } = edge.ask(query('no.example.com'));
    expect(rcode).toBe(Rcode.NXDOMAIN);
    expect(authorities[0]).toMatch(/^example.com SOA 50 /);
  });

  it('that is too large for UDP has TC and whole RRsets only, OPT kept; over TCP it is whole', () => {
    const edge = new TestEdge();
    const alias: dnsPacket.Answer = {
      type: 'CNAME',
      name: 'big.example.com',
      ttl: 300,
      data: 'many.example.com',
    };
    const records = Array.from({ length: 120 }, (_, i) => a('many.example.com', 300, `192.0.2.${i}`));
    edge.cacheAnswer('big.example.com', [alias, ...records]);
    for (const [opt, limit] of [
      [null, 512],
      [{ udpPayloadSize: 1 }, 512],
      [{ udpPayloadSize: 700 }, 700],
      [{ udpPayloadSize: 4096 }, 1232],
    ] as const) {
      const { reply, answers, hasOpt, bytes } = edge.ask(query('big.example.com', 'A', { opt }));
      expect(bytes.length).toBeLessThanOrEqual(limit);
      expect(reply.flag_tc).toBe(true);
      expect(answers).toEqual(['big.example.com CNAME 300 many.example.com']);
      expect(hasOpt).toBe(opt !== null);
    }
    const whole = edge.askTcp(query('big.example.com', 'A', OPT));
    expect([whole.reply.flag_tc, whole.answers.length]).toEqual([false, 121]);
  });

  it('has as many records as fit exactly', () => {
    const records = (count: number): dnsPacket.Answer[] =>
      Array.from({ length: count }, (_, i) => a('www.example.com', 300, `192.0.2.${i}`));
    // 12 + 21 bytes stand before the records, which have 16 each: 29 of them end at 497.
    for (const [count, truncated] of [
      [29, false],
      [30, true],
    ] as const) {
      const edge = new TestEdge();
      edge.cacheAnswer('www.example.com', records(count));
      const { reply, answers } = edge.ask(query('www.example.com'));
      expect([reply.flag_tc, answers.length]).toEqual([truncated, truncated ? 0 : count]);
    }
  });
});
