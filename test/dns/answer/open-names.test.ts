import { describe, expect, it } from 'vitest';
import { DEFERRED, type OpenNamesOptions, TCP_TRAITS } from '../../../src/dns/index.ts';
import { QueryVerdict } from '../../../src/dns/verdict.ts';

import { parseAddress } from '../../../src/net/index.ts';
import { a, HOME, HOME6, query, STRANGER, STRANGER6, TestEdge } from '../support.ts';

const OPEN: OpenNamesOptions = {
  bootstrapNames: ['dns.example.net', 'update.test'],
  testZone: 'check.example.net',
  controlAddresses4: parseAddress('192.0.2.80')!.bytes,
  controlAddresses6: parseAddress('2001:db8::80')!.bytes,
};

function edge(parts: ConstructorParameters<typeof TestEdge>[0] = {}): TestEdge {
  return new TestEdge({ openNames: OPEN, ...parts });
}

function withApi(parts: ConstructorParameters<typeof TestEdge>[0] = {}): TestEdge {
  const made = edge(parts);
  made.cacheAnswer('dns.example.net', [a('dns.example.net', 300, '192.0.2.80')]);
  return made;
}

describe('a bootstrap name', () => {
  it.each([STRANGER, STRANGER6])('is answered for %s as for the registered, over UDP and TCP', (source) => {
    const scene = withApi();
    for (const seen of [
      scene.ask(query('dns.example.net'), source),
      scene.askTcp(query('dns.example.net'), source),
      scene.ask(query('DNS.Example.Net'), source),
    ]) {
      expect(seen.outcome).toBe(QueryVerdict.BOOTSTRAP);
      expect(seen.answers.map((line) => line.toLowerCase())).toEqual(['dns.example.net a 300 192.0.2.80']);
    }
    expect(scene.ask(query('dns.example.net'), HOME).outcome).toBe(QueryVerdict.CACHED);
  });

  it('is answered where others get silence', () => {
    const scene = withApi({ unregistered: 'drop' });
    expect(scene.ask(query('dns.example.net'), STRANGER).outcome).toBe(QueryVerdict.BOOTSTRAP);
    expect(scene.ask(query('other.example.net'), STRANGER).outcome).toBe(QueryVerdict.IGNORED);
  });

  it('is asked of the upstreams where the cache is without it', () => {
    expect(edge().ask(query('dns.example.net'), STRANGER).outcome).toBe(DEFERRED);
    expect(edge().ask(query('update.test'), STRANGER).outcome).toBe(DEFERRED);
    expect(edge().ask(query('update.test'), HOME).outcome, 'for the registered too').toBe(DEFERRED);
  });

  it.each([
    ['a name below', query('x.dns.example.net')],
    ['the name above', query('example.net')],
    ['a name that ends alike', query('xdns.example.net')],
    ['a type that is of no use to reach it', query('dns.example.net', 'TXT')],
    ['ANY', query('dns.example.net', 'ANY')],
    ['another class', query('dns.example.net', 'A', { class: 'CH' })],
    ['a question without RD', query('dns.example.net', 'A', { flags: 0 })],
  ])('does not open %s', (_what, message) => {
    for (const seen of [withApi().ask(message, STRANGER), withApi().askTcp(message, STRANGER)]) {
      expect([seen.outcome, seen.rcode]).toEqual([QueryVerdict.REFUSED, 5]);
    }
  });

  it('is not for an encrypted connection whose registration has ended', () => {
    const traits = { ...TCP_TRAITS, encrypted: true };
    expect(withApi().ask(query('dns.example.net'), STRANGER, traits).outcome).toBe(QueryVerdict.REFUSED);
  });

  it('has a budget of each prefix: past it UDP is sent to TCP by a reply as long as the query', () => {
    const scene = withApi();
    const message = query('dns.example.net');
    const outcomes = Array.from({ length: 80 }, () => scene.ask(message, STRANGER));
    const answered = outcomes.filter(({ answers }) => answers.length === 1);
    expect(answered).toHaveLength(60);
    const spent = outcomes.at(-1)!;
    expect(spent.reply.flag_tc).toBe(true);
    expect(spent.answers).toEqual([]);
    expect(spent.bytes.length).toBeLessThanOrEqual(message.length);
    expect(scene.ask(message, '198.18.5.5').answers, 'others are served').toHaveLength(1);
    scene.nowMs += 1000;
    expect(scene.ask(message, STRANGER).answers).toHaveLength(1);
  });

  it('has a budget of all together, UDP apart from TCP', () => {
    const scene = withApi();
    const message = query('dns.example.net');
    let answered = 0;
    for (let i = 0; i < 4000; i++) {
      if (scene.ask(message, `20.${i >> 8}.${i & 255}.1`).answers.length === 1) answered++;
    }
    expect(answered).toBeGreaterThan(900);
    expect(answered).toBeLessThanOrEqual(1000);
    expect(scene.askTcp(message, '21.0.0.1').answers).toHaveLength(1);
  });

  it('costs the upstreams a few questions, however many ask', () => {
    const scene = edge();
    let deferred = 0;
    for (let i = 0; i < 900; i++) {
      if (scene.ask(query('dns.example.net'), `20.${i >> 8}.${i & 255}.1`).outcome === DEFERRED) deferred++;
    }
    expect(deferred).toBe(50);
  });

  it('does not use up what the same network is refused by, nor the other way round', () => {
    const scene = withApi({ rateLimit: { perSecond: 1, burst: 2 } });
    for (let i = 0; i < 5; i++) scene.ask(query('other.example'), STRANGER);
    expect(scene.ask(query('other.example'), STRANGER).outcome).toBe(QueryVerdict.RATELIMITED);
    expect(scene.ask(query('dns.example.net'), STRANGER).answers).toHaveLength(1);
  });
});

describe("the self-test's zone", () => {
  it.each([
    ['x1.reached', STRANGER, 'A', '192.0.2.80'],
    ['x1.reached', STRANGER6, 'AAAA', '2001:db8::80'],
    ['x1.reached', HOME, 'A', '192.0.2.80'],
    ['a.b.reached', STRANGER, 'A', '192.0.2.80'],
    ['x1.registered', HOME, 'A', '192.0.2.80'],
    ['x1.registered', HOME6, 'AAAA', '2001:db8::80'],
  ] as const)(
    'gives the address of the API for %s to %s, and nobody remembers it',
    (name, source, type, address) => {
      const full = `${name}.check.example.net`;
      for (const seen of [edge().ask(query(full, type), source), edge().askTcp(query(full, type), source)]) {
        expect(seen.answers).toEqual([`${full} ${type} 0 ${address}`]);
        expect(seen.reply.flag_aa).toBe(false);
      }
    },
  );

  it.each([STRANGER, STRANGER6])('has no registered names for %s', (source) => {
    const seen = edge().ask(query('x1.registered.check.example.net'), source);
    expect([seen.rcode, seen.answers]).toEqual([3, []]);
    expect(seen.authorities[0]).toMatch(/^check\.example\.net SOA 0 /);
  });

  it('changes its answer with the registration, at the next query', () => {
    const scene = edge();
    const rcode = () => scene.ask(query('x.registered.check.example.net'), STRANGER).rcode;
    expect(rcode()).toBe(3);
    scene.register(STRANGER);
    expect(rcode()).toBe(0);
    scene.unregister(STRANGER);
    expect(rcode()).toBe(3);
  });

  it('answers the registered for all of it, so that nobody else is asked', () => {
    const scene = edge();
    const ask = (name: string, type: 'A' | 'TXT' = 'A') => scene.ask(query(name, type), HOME);
    expect(ask('x.reached.check.example.net', 'TXT')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('check.example.net')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('reached.check.example.net')).toMatchObject({ rcode: 0, answers: [] });
    expect(ask('x.check.example.net').rcode).toBe(3);
    expect(ask('x.check.example.net').authorities[0]).toMatch(/^check\.example\.net SOA 0 /);
  });

  it.each(['check.example.net', 'reached.check.example.net', 'x.check.example.net'])(
    'refuses strangers %s',
    (name) => {
      expect(edge().ask(query(name), STRANGER).outcome).toBe(QueryVerdict.REFUSED);
    },
  );

  it('says that there is none where the API has no address of the family', () => {
    const scene = edge({ openNames: { ...OPEN, controlAddresses6: new Uint8Array(0) } });
    const seen = scene.ask(query('x.reached.check.example.net', 'AAAA'), STRANGER);
    expect([seen.rcode, seen.answers]).toEqual([0, []]);
    expect(seen.authorities).toHaveLength(1);
  });

  it('is nothing where it is not configured', () => {
    const scene = new TestEdge();
    expect(scene.ask(query('x.reached.check.example.net'), STRANGER).outcome).toBe(QueryVerdict.REFUSED);
    expect(scene.ask(query('x.reached.check.example.net'), HOME).outcome).toBe(DEFERRED);
  });
});
