import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Resolver } from '../../src/resolver/index.ts';
import { RecordType } from '../../src/wire/index.ts';
import {
  answer,
  type Behaviour,
  buildReply,
  caseChanged,
  cut,
  delay,
  drop,
  dropEdns,
  FakeUpstream,
  hangUp,
  type ReceivedQuery,
  refuse,
  truncate,
} from '../support/fake-upstream.ts';
import { request, requests, resolverFor, STEADY, shown, until } from './support.ts';

const ADDRESS = '192.0.2.1';

let upstream: FakeUpstream;
let resolver: Resolver;
const told: string[] = [];

beforeEach(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.4' });
  told.length = 0;
  resolver = resolverFor([upstream.url], { onQuirk: (url, quirk) => told.push(`${quirk} ${url}`) });
});

afterEach(async () => {
  await resolver.close();
  await upstream.stop();
});

const isHealthy = (): boolean => resolver.upstreams()[0].healthy;

/** Does `special` to queries that match, and answers all others. */
function onlyFor(matches: (query: ReceivedQuery) => boolean, special: Behaviour): Behaviour {
  return (query, replier) => (matches(query) ? special : answer())(query, replier);
}

const isOdd = ({ name }: ReceivedQuery): boolean => name.toLowerCase().startsWith('odd');
const isHttps = ({ type }: ReceivedQuery): boolean => type === 'HTTPS';

describe('an upstream stays healthy, whatever it does with one name or type:', () => {
  test.each<[string, (query: ReceivedQuery) => boolean, Behaviour]>([
    ['REFUSED for a name', isOdd, refuse(5)],
    ['NOTIMP for a name', isOdd, refuse(4)],
    ['SERVFAIL for a name', isOdd, refuse(2)],
    ['no reply for a name', isOdd, drop()],
    ['a truncated reply for a name, without TCP', isOdd, truncate()],
    ['REFUSED for type HTTPS', isHttps, refuse(5)],
    ['NOTIMP for type HTTPS', isHttps, refuse(4)],
    ['no reply for type HTTPS', isHttps, drop()],
  ])('%s', async (_what, matches, special) => {
    upstream.udp = onlyFor(matches, special);
    upstream.tcp = hangUp();
    for (let index = 0; index < 4; index++) {
      await resolver.resolve(request(`odd${index}.example`, { type: RecordType.HTTPS }));
    }
    expect(isHealthy()).toBe(true);
    const other = request('other.example');
    expect(shown(await resolver.resolve(other), other)).toEqual([ADDRESS]);
  });

  test('a silent name leaves other names all their tries', async () => {
    upstream.udp = onlyFor(isOdd, drop());
    await Promise.all(requests('odd', 4).map((asked) => resolver.resolve(asked)));
    let lost = 0;
    upstream.udp = onlyFor(() => lost++ === 0, drop());
    const other = request('other.example');
    expect(shown(await resolver.resolve(other), other)).toEqual([ADDRESS]);
  });

  test('so does a slow name, and slow names are still answered', async () => {
    const slow = request('odd0.example');
    upstream.udp = onlyFor(isOdd, drop());
    await resolver.resolve(slow);
    await until(() => upstream.checks.length > 0);
    expect(isHealthy()).toBe(true);
    // Slower than one try, quicker than the question's whole time.
    upstream.udp = onlyFor(isOdd, delay(STEADY.tryMs * 2));
    const second = request('odd1.example');
    expect(shown(await resolver.resolve(second), second)).toEqual([ADDRESS]);
    expect(isHealthy()).toBe(true);
  });
});

test('a health check that is lost once does not count', async () => {
  let checks = 0;
  upstream.udp = (query, replier) => {
    if (query.type === 'NS' && ++checks > 1) answer()(query, replier);
  };
  await resolver.resolve(request('www.example'));
  await until(() => checks === 2);
  expect(isHealthy()).toBe(true);
});

test('an upstream that answers nothing is unhealthy, and healthy again with its first reply', async () => {
  upstream.udp = drop();
  await resolver.resolve(request('www.example'));
  await until(() => !isHealthy());
  upstream.udp = refuse(5);
  await until(isHealthy);
});

const folds: Behaviour = (query, replier) =>
  replier.send(buildReply({ ...query, name: query.name.toLowerCase() }));
const shouts: Behaviour = (query, replier) =>
  replier.send(buildReply({ ...query, name: query.name.toUpperCase() }));

describe('an upstream that drops queries with EDNS', () => {
  test('is asked without it from the first question on that it answers so, which is told once', async () => {
    upstream.udp = dropEdns();
    for (const asked of requests('plain', 3)) {
      expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    }
    expect(upstream.queries.map(({ edns }) => edns === null)).toEqual([false, false, true, true, true]);
    expect(told).toEqual([`drops_edns ${upstream.url}`]);
    expect(isHealthy()).toBe(true);
  });

  test('is found out by a health check', async () => {
    upstream.udp = (query, replier) => (query.type === 'NS' ? dropEdns() : drop())(query, replier);
    await resolver.resolve(request('silent.example'));
    await until(() => told.length > 0);
    upstream.udp = dropEdns();
    const asked = request('next.example');
    expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
  });

  test('is not suspected of it by one that has replied to EDNS', async () => {
    await resolver.resolve(request('www.example'));
    upstream.udp = dropEdns();
    const asked = request('silent.example');
    expect(shown(await resolver.resolve(asked), asked)).toEqual(['rcode 2']);
    expect(upstream.queries.every(({ edns }) => edns !== null)).toBe(true);
    expect(told).toEqual([]);
  });
});

test('NOTIMP for AAAA is NODATA for the client, and for A an error', async () => {
  upstream.udp = refuse(4);
  const [aaaa, a] = [request('www.example', { type: RecordType.AAAA }), request('www.example')];
  expect(shown(await resolver.resolve(aaaa), aaaa)).toEqual(['rcode 0']);
  expect(shown(await resolver.resolve(a), a)).toEqual(['rcode 4']);
});

describe('a reply that is cut without TC', () => {
  test('and no TCP: asks without EDNS, which fits 512 bytes', async () => {
    upstream.udp = (query, replier) => (query.edns === null ? answer() : cut(40))(query, replier);
    upstream.tcp = hangUp();
    for (const asked of requests('cut', 2)) {
      expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    }
    expect(isHealthy()).toBe(true);
  });

  test('is an error if nothing else comes', async () => {
    upstream.udp = cut(40);
    upstream.tcp = hangUp();
    const asked = request('cut.example');
    expect(shown(await resolver.resolve(asked), asked)).toEqual(['rcode 2']);
  });
});

test('empty answers of a lame upstream count only if no other upstream has one', async () => {
  const lame = await FakeUpstream.start({
    address: '127.0.0.6',
    udp: answer({ answers: [], authorities: [], recursionAvailable: false }),
  });
  const both = resolverFor([lame.url, upstream.url]);
  for (const asked of requests('lame', 4)) {
    expect(shown(await both.resolve(asked), asked)).toEqual([ADDRESS]);
  }
  await both.close();
  await lame.stop();
});

describe('an upstream that folds case', () => {
  test.each<[string, () => void]>([
    ['refuses TCP', () => upstream.closeTcp()],
    ['hangs up', () => upstream.serve({ tcp: hangUp() })],
    ['is silent over TCP', () => upstream.serve({ tcp: drop() })],
  ])('and %s is believed after three replies that agree, which is told once', async (_what, breakTcp) => {
    upstream.udp = folds;
    breakTcp();
    const [first, ...others] = requests('folding', 5);
    expect(shown(await resolver.resolve(first), first)).toEqual([ADDRESS]);
    const before = upstream.over('udp').length;
    expect(before).toBe(4);
    for (const asked of others) expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    expect(upstream.over('udp').length - before).toBe(others.length);
    expect(told).toEqual([`folds_case ${upstream.url}`]);
    expect(isHealthy()).toBe(true);
  });

  test('to upper case is believed in the same way', async () => {
    upstream.udp = shouts;
    upstream.tcp = hangUp();
    for (const asked of requests('shouting', 3)) {
      expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    }
    expect(upstream.over('udp')).toHaveLength(6);
  });

  test('is not believed if its replies differ', async () => {
    upstream.tcp = hangUp();
    let count = 0;
    const varied: Behaviour = (query, replier) => {
      const data = `192.0.2.${++count}`;
      answer({ answers: [{ type: 'A', name: query.name, ttl: 300, data }] })(query, replier);
    };
    upstream.udp = (query, replier) => (count++ === 0 ? caseChanged() : varied)(query, replier);
    const asked = request('varied.example');
    expect(shown(await resolver.resolve(asked), asked)).toEqual(['rcode 2']);
    expect(told).toEqual([]);
  });

  test('is not reported if TCP works: a stream cannot be forged', async () => {
    upstream.udp = folds;
    const asked = request('folding.example');
    expect(shown(await resolver.resolve(asked), asked)).toEqual([ADDRESS]);
    expect(told).toEqual([]);
  });
});
