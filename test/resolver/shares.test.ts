import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Resolved, Resolver } from '../../src/resolver/index.ts';
import { Shares } from '../../src/resolver/shares.ts';
import { zoneKey } from '../../src/resolver/zone.ts';
import { nameFromText } from '../../src/wire/index.ts';
import { answer, drop, FakeUpstream } from '../support/fake-upstream.ts';
import { request, requests, resolverFor, shown } from './support.ts';

test('a holder gets no more than its share, and what it gives back', () => {
  const shares = new Shares<number>(2);
  expect([shares.take(1), shares.take(1), shares.take(1), shares.take(2)]).toEqual([true, true, false, true]);
  shares.release(1);
  expect([shares.take(1), shares.take(1)]).toEqual([true, false]);
});

test.each([
  ['a.b.slow.evil.example', 'evil.example'],
  ['evil.example', 'evil.example'],
  ['example', 'example'],
  ['www.shop.co.uk', 'shop.co.uk'],
  ['www.shop.com.au', 'shop.com.au'],
  ['co.uk', 'co.uk'],
  ['www.netflix.com', 'netflix.com'],
  ['a.bbb.de', 'a.bbb.de'],
])('%s counts under %s', (name, zone) => {
  const wire = (text: string): Uint8Array => nameFromText(text)!;
  expect(zoneKey(wire(name), wire(name).length)).toBe(Buffer.from(wire(zone)).toString('latin1'));
});

test('the root counts under itself', () => {
  expect(zoneKey(new Uint8Array(1), 1)).toBe('\0');
});

describe('with an upstream that never answers for one zone', () => {
  const ATTACKER = 66;
  const HONEST = 1;
  let upstream: FakeUpstream;
  let resolver: Resolver;

  beforeEach(async () => {
    upstream = await FakeUpstream.start({
      udp: (query, replier) =>
        (query.name.toLowerCase().endsWith('evil.example') ? drop() : answer())(query, replier),
    });
  });

  afterEach(async () => {
    await resolver.close();
    await upstream.stop();
  });

  const askAs = (source: number, name: string): Promise<Resolved> =>
    new Promise((resolved, failed) => resolver.ask(request(name), { source, resolved, failed }));

  const honestAnswers = async (prefix: string): Promise<string[]> => {
    const names = requests(prefix, 20).map((_, index) => `www.${prefix}${index}.example`);
    const answers = await Promise.all(names.map((name) => askAs(HONEST, name)));
    return answers.flatMap((resolved, index) => shown(resolved, request(names[index])));
  };

  test.each([
    ['by names of one zone', (index: number) => `a${index}.slow.evil.example`],
    ['by names of many zones', (index: number) => `a${index}.z${index}evil.example`],
  ])(
    'a home that asks %s fills its own share, and another home is answered as before',
    async (_how, name) => {
      resolver = resolverFor([upstream.url], { limits: { questions: 160 }, timeouts: {} });
      const before = await honestAnswers('before');
      expect(new Set(before)).toEqual(new Set(['192.0.2.1']));
      const attack = Array.from({ length: 2000 }, (_, index) => askAs(ATTACKER, name(index)));
      expect(resolver.inFlight).toBeLessThanOrEqual(20);
      expect(resolver.counters.overloaded).toBeGreaterThanOrEqual(1980);
      expect(await honestAnswers('during')).toEqual(before);
      await resolver.close();
      await Promise.all(attack);
      expect(resolver.inFlight).toBe(0);
    },
  );

  test('many homes that ask one zone fill its share, and other zones are answered', async () => {
    resolver = resolverFor([upstream.url], { limits: { questions: 160 }, timeouts: {} });
    const attack = Array.from({ length: 500 }, (_, index) => askAs(100 + index, `a${index}.evil.example`));
    expect(resolver.inFlight).toBe(10);
    expect(new Set(await honestAnswers('during'))).toEqual(new Set(['192.0.2.1']));
    await resolver.close();
    await Promise.all(attack);
  });

  test('a share is free again when its questions have ended', async () => {
    resolver = resolverFor([upstream.url], { limits: { questions: 160, questionsPerSource: 2 } });
    for (let round = 0; round < 5; round++) {
      const both = await Promise.all([
        askAs(HONEST, `a${round}.example`),
        askAs(HONEST, `b${round}.example`),
      ]);
      expect(both.every(({ entry }) => entry !== null)).toBe(true);
    }
  });
});
