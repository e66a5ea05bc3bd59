import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ResolverThread } from '../../../src/dns/index.ts';
import { AnswerCache, CacheReader, CacheResult } from '../../../src/resolver/cache/index.ts';
import { parseUpstream } from '../../../src/resolver/index.ts';
import { RemoteResolver } from '../../../src/resolver/remote/index.ts';
import { monotonicClock } from '../../../src/sys/index.ts';
import { hashSuffixes, Question, Rcode, readName } from '../../../src/wire/index.ts';
import { delay, drop, FakeUpstream } from '../../support/fake-upstream.ts';

const SEED = 7;
const request = (name: string) => {
  const wire = Buffer.from(`\x03www${String.fromCharCode(name.length)}${name}\0`, 'latin1');
  const flags = { type: 1, qclass: 1, dnssecOk: false, checkingDisabled: false };
  return { name: new Uint8Array(wire), nameLength: wire.length, ...flags };
};

let upstream: FakeUpstream;
let cache: AnswerCache;
let thread: ResolverThread;
const failures: unknown[] = [];

beforeEach(async () => {
  failures.length = 0;
  upstream = await FakeUpstream.start();
  cache = new AnswerCache({ bytes: 256 * 1024 });
  thread = await ResolverThread.start({
    upstreams: [parseUpstream(upstream.url)],
    cache: cache.handle(),
    nameSeed: SEED,
    ttlLimits: { minTtlSeconds: 0, maxTtlSeconds: 3600 },
    hasForwarders: false,
    onQuirk: () => {},
    onError: (error) => failures.push(error),
    onFailure: (error) => failures.push(error),
  });
});

afterEach(async () => {
  await thread.stop();
  await upstream.stop();
  expect(failures).toEqual([]);
});

test('resolves, and stores answers in the shared cache', async () => {
  const asked = request('shared');
  expect((await thread.resolve(asked)).entry).not.toBeNull();
  const question = new Question();
  readName(asked.name, asked.nameLength, 0, question.name);
  Object.assign(question, { type: 1, qclass: 1 });
  hashSuffixes(question.name, SEED, question.hashes);
  const nowSeconds = Math.floor(monotonicClock()() / 1000);
  const reader = new CacheReader(cache.handle());
  expect(reader.find(question, false, false, nowSeconds)).toBe(CacheResult.FRESH);
});

test('asks a question once, whichever thread it comes from', async () => {
  upstream.udp = delay(50);
  const port = thread.openPort();
  const other = new RemoteResolver(port);
  await Promise.all([thread.resolve(request('once')), other.resolve(request('once'))]);
  expect(upstream.queries).toHaveLength(1);
  const { counters, upstreams } = await thread.report();
  expect(counters).toMatchObject({ questions: 2, coalesced: 1 });
  expect(upstreams).toMatchObject([{ name: '0-udp', healthy: true }]);
  port.close();
});

describe('when it stops', () => {
  test('open and later questions fail', async () => {
    upstream.udp = drop();
    const open = thread.resolve(request('open'));
    await thread.stop();
    const failed = { entry: null, rcode: Rcode.SERVFAIL };
    expect(await open).toMatchObject(failed);
    expect(await thread.resolve(request('later'))).toMatchObject(failed);
  });
});
