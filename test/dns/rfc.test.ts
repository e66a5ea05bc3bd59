/** The DNS rules of the RFCs that concern decide, by section. */
import type * as dnsPacket from 'dns-packet';
import { describe, expect, it } from 'vitest';
import {
  DEFERRED,
  type DiscoveryOptions,
  discoveryRecords,
  TCP_TRAITS,
  type TransportTraits,
  UDP_TRAITS,
} from '../../src/dns/index.ts';
import { QueryVerdict } from '../../src/dns/verdict.ts';
import { Transport } from '../../src/metrics/index.ts';
import { parseSocketAddress } from '../../src/net/index.ts';
import { Rcode } from '../../src/wire/index.ts';
import { a, HOME, query, type Seen, STRANGER, soa, TestEdge } from './support.ts';

const TLS: TransportTraits = { ...TCP_TRAITS, transport: Transport.TLS, encrypted: true };
const COOKIE = 10;
const PADDING = 12;
const CLIENT = '2464c4abcf10c957';
const SERVER = '010000005cf79f111f8130c3eee29480';
/** Client address of SERVER, valid at TestEdge's time (RFC 9018 A.1). */
const COOKIE_HOME = '198.51.100.100';

/** A query with EDNS options, each a code and its bytes. */
function withOptions(
  name: string,
  options: [code: number, data: string][],
  type: 'A' | 'SVCB' = 'A',
): Buffer {
  const message = query(name, type, { opt: {} });
  const rdata = Buffer.concat(
    options.map(([code, data]) => {
      const bytes = Buffer.from(data, 'hex');
      const head = Buffer.alloc(4);
      head.writeUInt16BE(code);
      head.writeUInt16BE(bytes.length, 2);
      return Buffer.concat([head, bytes]);
    }),
  );
  message.writeUInt16BE(rdata.length, message.length - 2);
  return Buffer.concat([message, rdata]);
}

function option({ reply }: Seen, code: number): Buffer | undefined {
  const opt = reply.additionals?.find(({ type }) => type === 'OPT') as unknown as
    | { options: { code: number; data: Buffer }[] }
    | undefined;
  return opt?.options.find((found) => found.code === code)?.data;
}

const cookieOf = (seen: Seen): string | undefined => option(seen, COOKIE)?.toString('hex');

describe('cookies (RFC 7873, RFC 9018)', () => {
  const edge = new TestEdge();
  edge.register(COOKIE_HOME);

  it.each([1, 7, 9, 15, 41, 64])('7873 5.2.2: one of %i bytes is FORMERR', (length) => {
    const message = withOptions('localhost', [[COOKIE, '00'.repeat(length)]]);
    expect(edge.ask(message).rcode).toBe(Rcode.FORMERR);
  });

  it('7873 5.2.3: a client alone gets 24 bytes: its own, and ours', () => {
    const seen = edge.ask(withOptions('localhost', [[COOKIE, CLIENT]]), COOKIE_HOME);
    expect([cookieOf(seen), seen.answers.length]).toEqual([CLIENT + SERVER, 1]);
  });

  it('7873 5.2.4: a wrong one is answered all the same, with a right one', () => {
    const seen = edge.ask(withOptions('localhost', [[COOKIE, `${CLIENT}${'00'.repeat(32)}`]]), COOKIE_HOME);
    expect([cookieOf(seen), seen.rcode]).toEqual([CLIENT + SERVER, Rcode.NOERROR]);
  });

  it('7873 5.2.1: none is given to whom has none', () => {
    expect(cookieOf(edge.ask(query('localhost', 'A', { opt: {} })))).toBeUndefined();
  });

  it('9018 3: edges of one configuration take each other for the same server', () => {
    const other = new TestEdge();
    other.register(COOKIE_HOME);
    const seen = other.ask(withOptions('localhost', [[COOKIE, CLIENT + SERVER]]), COOKIE_HOME);
    expect(cookieOf(seen)).toBe(CLIENT + SERVER);
  });

  it('7873 6: keep room for themselves in an answer that fills the reply', () => {
    const records = Array.from({ length: 80 }, (_, i) => a('www.example.com', 300, `192.0.2.${i}`));
    const full = new TestEdge();
    for (const count of [66, 67, 68, 69, 70, 71, 72]) {
      full.cacheAnswer('www.example.com', records.slice(0, count));
      const { bytes, reply } = full.ask(withOptions('www.example.com', [[COOKIE, CLIENT]]));
      expect(bytes.length).toBeLessThanOrEqual(1232);
      expect(reply.additionals).toHaveLength(1);
    }
  });

  it('7873 5.2.3: a valid cookie proves the source and lifts the rate limit; a wrong one does not', () => {
    const limited = new TestEdge({ rateLimit: { perSecond: 1, burst: 1 } });
    const ask = (cookie: string): number =>
      limited.ask(withOptions('www.example.com', [[COOKIE, cookie]]), COOKIE_HOME).outcome;
    expect(ask(CLIENT)).toBe(QueryVerdict.REFUSED);
    expect([ask(CLIENT + SERVER), ask(CLIENT + SERVER)]).toEqual([
      QueryVerdict.REFUSED,
      QueryVerdict.REFUSED,
    ]);
    expect([ask(CLIENT), ask(`${CLIENT}${'11'.repeat(16)}`)]).toEqual([
      QueryVerdict.RATELIMITED,
      QueryVerdict.RATELIMITED,
    ]);
  });

  it('never make a refusal over UDP larger than the query', () => {
    for (const cookie of [CLIENT, CLIENT + SERVER]) {
      const message = withOptions('www.example.com', [[COOKIE, cookie]]);
      expect(edge.ask(message, STRANGER).bytes.length).toBeLessThanOrEqual(message.length);
    }
  });
});

describe('padding (RFC 7830, RFC 8467)', () => {
  const edge = new TestEdge();
  edge.cacheAnswer(
    'www.example.com',
    Array.from({ length: 40 }, (_, i) => a('www.example.com', 300, `192.0.2.${i}`)),
  );
  const padded = (name: string) => withOptions(name, [[PADDING, '0000']]);

  it.each(['localhost', 'www.example.com', 'netflix.com', 'a.invalid'])(
    '8467 4.1: a padded query for %s over TLS has a reply of a multiple of 468 bytes',
    (name) => {
      expect(edge.ask(padded(name), HOME, TLS).bytes.length % 468).toBe(0);
    },
  );

  it('7830 4: one without padding has none, and neither has one over UDP or TCP (6)', () => {
    expect(option(edge.ask(query('localhost', 'A', { opt: {} }), HOME, TLS), PADDING)).toBeUndefined();
    expect(option(edge.ask(padded('localhost')), PADDING)).toBeUndefined();
    expect(option(edge.askTcp(padded('localhost')), PADDING)).toBeUndefined();
  });

  it('7830 3: is of zeros', () => {
    const data = option(edge.ask(padded('localhost'), HOME, TLS), PADDING)!;
    expect(data.every((byte) => byte === 0)).toBe(true);
  });

  it('stands beside a cookie and an extended error', () => {
    const message = withOptions('netflix.com', [
      [PADDING, ''],
      [COOKIE, CLIENT],
    ]);
    const seen = edge.ask(message, HOME, TLS);
    expect([seen.bytes.length, cookieOf(seen)?.length, seen.extendedError]).toEqual([468, 48, 4]);
  });
});

describe('edns-tcp-keepalive (RFC 7828)', () => {
  const KEEPALIVE = 11;
  const edge = new TestEdge();
  const ASKS = withOptions('netflix.com', [[KEEPALIVE, '']]);
  const timeout = (message: Uint8Array, traits: TransportTraits, source = HOME): string | undefined =>
    option(edge.ask(message, source, traits), KEEPALIVE)?.toString('hex');

  it('3.1: the reply has the idle time of 10 s in units of 100 ms, over TCP and TLS', () => {
    expect([timeout(ASKS, TCP_TRAITS), timeout(ASKS, TLS)]).toEqual(['0064', '0064']);
  });

  it.each([
    ['over UDP', ASKS, UDP_TRAITS, HOME],
    ['over HTTPS', ASKS, { ...TLS, transport: Transport.HTTPS }, HOME],
    ['without being asked', withOptions('netflix.com', []), TCP_TRAITS, HOME],
    ['if the query has a timeout', withOptions('netflix.com', [[KEEPALIVE, '0001']]), TCP_TRAITS, HOME],
    ['to strangers', ASKS, TCP_TRAITS, STRANGER],
  ])('is not sent %s', (_, message, traits, source) => {
    expect(timeout(message, traits, source)).toBeUndefined();
  });

  it('is padded with the rest of the reply', () => {
    const both = withOptions('netflix.com', [
      [KEEPALIVE, ''],
      [PADDING, '00'],
    ]);
    const seen = edge.ask(both, HOME, TLS);
    expect([option(seen, KEEPALIVE)?.toString('hex'), seen.bytes.length % 468]).toEqual(['0064', 0]);
  });
});

describe('discovery of our encrypted listeners (RFC 9462)', () => {
  const options = (names: string[], address = '203.0.113.5'): DiscoveryOptions => ({
    names,
    tls: [parseSocketAddress(`${address}:853`)!],
    https: [parseSocketAddress(`${address}:443`)!],
  });
  const ask = (discovery: Uint8Array[], name = '_dns.resolver.arpa', type: 'SVCB' | 'A' = 'SVCB'): Seen =>
    new TestEdge({ discovery }).ask(query(name, type));

  it('4: SVCB leads to DoT and DoH by the name of the certificate', () => {
    const { bytes, reply } = ask(discoveryRecords(options(['dns.example'], '8.8.4.4')));
    const rdata = (reply.answers as { data: Buffer }[]).map(({ data }) => data.toString('hex'));
    const target = '03646e73076578616d706c6500';
    expect(rdata).toEqual([
      `0001${target}00010004${'03646f74'}000300020355${'0004000408080404'}`,
      `0002${target}0001000c${'02683208687474702f312e31'}0003000201bb${'0004000408080404'}${'00070010'}${Buffer.from('/dns-query{?dns}').toString('hex')}`,
    ]);
    expect(bytes.length).toBeLessThan(512);
  });

  it('gives no hint of an address that is none outside', () => {
    const [record] = discoveryRecords(options(['dns.example'], '10.0.0.1'));
    expect(Buffer.from(record).toString('hex')).toMatch(/000300020355$/);
  });

  it('6.4: is a local NODATA where there are none, and for other types', () => {
    for (const seen of [
      ask([]),
      ask(discoveryRecords(options([]))),
      ask(discoveryRecords(options(['dns.example'])), '_dns.resolver.arpa', 'A'),
    ]) {
      expect([seen.rcode, seen.answers, seen.authorities.length]).toEqual([Rcode.NOERROR, [], 1]);
    }
  });

  it('6.4: other names of resolver.arpa do not exist, and nobody is asked', () => {
    for (const name of ['resolver.arpa', 'x.resolver.arpa', 'x._dns.resolver.arpa']) {
      expect(ask([], name).rcode).toBe(Rcode.NXDOMAIN);
    }
  });

  it('is for the registered', () => {
    const edge = new TestEdge({ discovery: discoveryRecords(options(['dns.example'])) });
    expect(edge.ask(query('_dns.resolver.arpa', 'SVCB'), STRANGER).rcode).toBe(Rcode.REFUSED);
  });
});

describe('header and question (RFC 1035, RFC 4343)', () => {
  const edge = new TestEdge();

  it('4343 4.1: the case of the question is kept', () => {
    const { bytes } = edge.ask(query('LocalHost'));
    expect(bytes.toString('latin1')).toContain('LocalHost');
  });

  it('1035 4.1.1: ID and RD are copied, RA is set, AA is not', () => {
    const { reply } = edge.ask(query('localhost', 'A', { id: 0xbeef }));
    expect([reply.id, reply.flag_rd, reply.flag_ra, reply.flag_aa]).toEqual([0xbeef, true, true, false]);
  });

  it('1035 4.1.2: QDCOUNT of 0 or 2 is FORMERR (RFC 9619 4)', () => {
    for (const count of [0, 2]) {
      const message = query('localhost');
      message.writeUInt16BE(count, 4);
      expect(edge.ask(message).rcode).toBe(Rcode.FORMERR);
    }
  });

  it.each([
    ['a pointer to itself', 'c00c'],
    ['a pointer forward', 'c020'],
    ['a label of type 01', `40${'61'.repeat(4)}00`],
    ['a name over 255 bytes', `${`3f${'61'.repeat(63)}`.repeat(4)}00`],
  ])('1035 4.1.4: %s is FORMERR', (_, name) => {
    const header = Buffer.from('12340100000100000000000000'.slice(0, 24), 'hex');
    const message = Buffer.concat([header, Buffer.from(name, 'hex'), Buffer.from('00010001', 'hex')]);
    expect(edge.ask(message).rcode).toBe(Rcode.FORMERR);
  });

  it('1035 4.1: answers a message with trailing bytes', () => {
    expect(edge.ask(Buffer.concat([query('localhost'), Buffer.from('trailing')])).rcode).toBe(Rcode.NOERROR);
  });

  it('8482 4.2: ANY gets one HINFO', () => {
    expect(edge.ask(query('www.example.com', 'ANY')).answers).toHaveLength(1);
  });

  it('5936 2.2: zones are not transferred', () => {
    for (const type of ['AXFR', 'IXFR'] as const) {
      expect(edge.ask(query('example.com', type)).rcode).toBe(Rcode.REFUSED);
    }
  });
});

describe('EDNS (RFC 6891)', () => {
  const edge = new TestEdge();

  it('6.1.1: two OPT are FORMERR, and so is one whose owner is not the root', () => {
    const one = query('localhost', 'A', { opt: {} });
    const opt = one.subarray(one.length - 11);
    const two = Buffer.concat([one, opt]);
    two.writeUInt16BE(2, 10);
    const owned = Buffer.concat([one.subarray(0, -11), Buffer.from('0161', 'hex'), opt]);
    expect([edge.ask(two).rcode, edge.ask(owned).rcode]).toEqual([Rcode.FORMERR, Rcode.FORMERR]);
  });

  it('6.1.2: RDLENGTH past the end is FORMERR', () => {
    const message = query('localhost', 'A', { opt: {} });
    message.writeUInt16BE(5, message.length - 2);
    expect(edge.ask(message).rcode).toBe(Rcode.FORMERR);
  });

  it('6.1.2: an unknown option is neither answered nor echoed', () => {
    expect(option(edge.ask(withOptions('localhost', [[65001, 'aa']])), 65001)).toBeUndefined();
  });

  it('6.1.3: version 1 is BADVERS, with OPT', () => {
    const { rcode, hasOpt } = edge.ask(query('localhost', 'A', { opt: { ednsVersion: 1 } }));
    expect([rcode, hasOpt]).toEqual([Rcode.BADVERS, true]);
  });

  it('6.2.5: sizes below 512 are 512', () => {
    const records = Array.from({ length: 20 }, (_, i) => a('www.example.com', 300, `192.0.2.${i}`));
    edge.cacheAnswer('www.example.com', records);
    const { reply } = edge.ask(query('www.example.com', 'A', { opt: { udpPayloadSize: 0 } }));
    expect([reply.flag_tc, reply.answers?.length]).toEqual([false, 20]);
  });
});

describe('TTLs and negative answers (RFC 2308, RFC 2181)', () => {
  it('2181 5.2: mixed TTLs of an RRset are the least', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('m.example', [a('m.example', 300, '192.0.2.1'), a('m.example', 100, '192.0.2.2')]);
    expect(edge.ask(query('m.example')).answers.map((line) => line.split(' ')[2])).toEqual(['100', '100']);
  });

  it('2308 5: a negative answer has the least of the SOA TTL and its MINIMUM, and ages', () => {
    const edge = new TestEdge();
    const negative = { ...soa('example', 500), data: { ...soaData, minimum: 70 } } as dnsPacket.Answer;
    edge.cacheAnswer('no.example', [], { rcode: 3, authorities: [negative] });
    edge.nowMs += 20_000;
    expect(edge.ask(query('no.example')).authorities[0]).toMatch(/^example SOA 50 /);
    edge.nowMs += 50_000;
    expect(edge.ask(query('no.example')).outcome).toBe(DEFERRED);
  });

  it('8020 2: a name that does not exist has none below it, whatever the type', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('no.example', [], { rcode: 3, authorities: [soa('example', 500)] });
    for (const name of ['no.example', 'a.no.example', 'x.y.a.no.example']) {
      for (const type of ['A', 'MX'] as const) {
        const seen = edge.ask(query(name, type));
        expect([seen.rcode, seen.answers]).toEqual([Rcode.NXDOMAIN, []]);
        expect(seen.authorities[0]).toMatch(/^example SOA 500 {"mname":"ns","rname":"root"/);
      }
    }
    expect(edge.ask(query('other.example')).outcome).toBe(DEFERRED);
    edge.nowMs += 500_000;
    expect(edge.ask(query('a.no.example')).outcome).toBe(DEFERRED);
  });

  it('8020 2: its SOA may have its names in the question, and below', () => {
    const edge = new TestEdge();
    const authorities = [
      {
        ...soa('example.com', 500),
        data: { ...soaData, mname: 'ns.example.com', rname: 'root.ns.example.com' },
      },
    ] as dnsPacket.Answer[];
    edge.cacheAnswer('no.example.com', [], { rcode: 3, authorities });
    for (const name of ['no.example.com', 'deep.below.no.example.com']) {
      expect(edge.ask(query(name)).authorities[0]).toContain(
        '"mname":"ns.example.com","rname":"root.ns.example.com"',
      );
    }
  });

  it('8020 2: NODATA says nothing of what is below, nor does an NXDOMAIN behind a CNAME', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('empty.example', [], { authorities: [soa('example', 500)] });
    const alias: dnsPacket.Answer = { type: 'CNAME', name: 'alias.example', ttl: 300, data: 'gone.example' };
    edge.cacheAnswer('alias.example', [alias], { rcode: 3, authorities: [soa('example', 500)] });
    expect(edge.ask(query('alias.example')).rcode).toBe(Rcode.NXDOMAIN);
    for (const name of ['a.empty.example', 'a.alias.example']) {
      expect(edge.ask(query(name)).outcome).toBe(DEFERRED);
    }
  });

  it('4035 3.2.2: an answer to CD is none to a query without it', () => {
    const edge = new TestEdge();
    edge.cacheAnswer('s.example', [a('s.example', 300, '192.0.2.1')], { checkingDisabled: true });
    expect(edge.ask(query('s.example')).outcome).toBe(DEFERRED);
  });
});

const soaData = { mname: 'ns', rname: 'root', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 900 };
