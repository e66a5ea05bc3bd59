import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createForwardHandle, ForwardState, NO_UPSTREAM } from '../../src/resolver/forward/index.ts';
import { parseUpstream, type Resolver } from '../../src/resolver/index.ts';
import { drop, FakeUpstream, refuse } from '../support/fake-upstream.ts';
import { request, resolverFor, until } from './support.ts';

let upstream: FakeUpstream;
let resolver: Resolver;
let state: ForwardState;

beforeEach(async () => {
  upstream = await FakeUpstream.start({ address: '127.0.0.5' });
  open([upstream.url]);
});

afterEach(async () => {
  await resolver.close();
  await upstream.stop();
});

function open(urls: readonly string[]): void {
  const forward = createForwardHandle(urls.map(parseUpstream));
  resolver = resolverFor(urls, { forward });
  state = new ForwardState(forward);
}

describe('UDP threads are told', () => {
  test('which upstream to ask, and how', () => {
    expect([state.upstream, state.knowsEdns, state.keepsCase]).toEqual([0, true, true]);
    expect(state.waitMs).toBeGreaterThan(0);
    expect(state.questionsPerSource).toBeGreaterThan(0);
  });

  test('to hand everything over if the upstream is not reached over UDP', async () => {
    await resolver.close();
    open([upstream.urlFor('tcp')]);
    expect(state.upstream).toBe(NO_UPSTREAM);
  });

  test('other upstreams by the indexes that the threads know them by', async () => {
    const other = await FakeUpstream.start({ address: '127.0.0.6' });
    resolver.useUpstreams([parseUpstream(other.url)], 1);
    expect(state.upstream).toBe(1);
    resolver.useUpstreams([parseUpstream(other.urlFor('tcp'))], 2);
    expect(state.upstream).toBe(NO_UPSTREAM);
    await other.stop();
  });

  test('to hand everything over while the upstream is down, and to ask again once it replies', async () => {
    upstream.udp = drop();
    state.reportTimeout(0);
    await until(() => state.upstream === NO_UPSTREAM);
    expect(upstream.checks.length).toBeGreaterThan(0);
    upstream.udp = refuse(5);
    await until(() => state.upstream === 0);
  });
});

test("reported replies count as the upstream's latency and health", async () => {
  for (let reply = 0; reply < 16; reply++) state.reportReply(0, 30_000);
  await until(() => resolver.upstreams()[0].p50Ms !== null);
  expect(resolver.upstreams()[0]).toMatchObject({ p50Ms: 30, healthy: true });
});

test('a reported timeout of one name leaves a living upstream in use', async () => {
  state.reportTimeout(0);
  await until(() => upstream.checks.length > 0);
  await until(() => state.upstream === 0);
  expect(resolver.upstreams()[0]).toMatchObject({ healthy: true, failures: 1 });
});

describe('a question that a thread has tried', () => {
  const tried = (value: 1 | 2 | 3 | 4) => ({ ...request('tried.example'), tried: value });

  test.each([
    ['truncated', 3],
    ['doubtful', 4],
  ] as const)('with a %s reply goes on over TCP', async (_what, value) => {
    await resolver.resolve(tried(value));
    expect(upstream.queries.map(({ transport }) => transport)).toEqual(['tcp']);
  });

  test('without a reply is asked at the next upstream first', async () => {
    const second = await FakeUpstream.start({ address: '127.0.0.6' });
    await resolver.close();
    open([upstream.url, second.url]);
    await resolver.resolve(tried(1));
    expect([upstream.queries.length, second.queries.length]).toEqual([0, 1]);
    await second.stop();
  });

  test('without a reply is asked twice more at a lone upstream', async () => {
    upstream.udp = drop();
    await resolver.resolve(tried(1));
    expect(upstream.queries).toHaveLength(2);
  });
});
