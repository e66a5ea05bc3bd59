import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { QueryVerdict } from '../../../src/dns/verdict.ts';
import { FAMILIES, SLOTS } from '../../../src/metrics/counters.ts';
import {
  CounterBlock,
  openConnections,
  QueryPath,
  queryCounter,
  queryDuration,
  Transport,
} from '../../../src/metrics/index.ts';
import { Exposition } from '../../../src/metrics/scrape/exposition.ts';
import { upstreamLabel } from '../../../src/metrics/scrape/gauges.ts';
import { LaterExposition } from '../../../src/metrics/scrape/index.ts';

/** Samples of a text exposition, by name with labels. */
async function samples(exposition: Exposition): Promise<Map<string, number>> {
  const lines = (await exposition.text()).split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

const exposition = (blocks: CounterBlock[] = [], sources = {}) =>
  new Exposition({ blocks, sources, processMetrics: false });

describe('Exposition', () => {
  it('sums the blocks of all threads at each scrape', async () => {
    const blocks = [new CounterBlock(), new CounterBlock()];
    const scraped = exposition(blocks);
    const index = queryCounter(Transport.TCP, QueryVerdict.NEGATIVE_LOCAL);
    const sample = 'mediastreamer_queries_total{transport="tcp",verdict="negative_local"}';
    blocks[0].increment(index);
    blocks[1].add(index, 2);
    expect((await samples(scraped)).get(sample)).toBe(3);
    blocks[1].increment(index);
    const later = new CounterBlock();
    later.increment(index);
    scraped.add(later);
    expect((await samples(scraped)).get(sample)).toBe(5);
  });

  it('shows every series from the start, at zero', async () => {
    const all = await samples(exposition([new CounterBlock()]));
    expect([...all.values()].every((value) => value === 0)).toBe(true);
    expect(all.has('mediastreamer_deferred_total')).toBe(true);
    expect(all.has('mediastreamer_control_requests_total{route="other",status="5xx"}')).toBe(true);
  });

  it('gives each slot to the series that its index function names', async () => {
    const block = new CounterBlock();
    for (let i = 0; i < SLOTS; i++) block.values[i] = i;
    const all = await samples(exposition([block]));
    expect(all.get('mediastreamer_queries_total{transport="tls",verdict="cached"}')).toBe(
      queryCounter(Transport.TLS, QueryVerdict.CACHED),
    );
    expect(all.get('mediastreamer_connections_open{transport="https"}')).toBe(
      openConnections(Transport.HTTPS),
    );
  });

  it('shows a gauge that fell', async () => {
    const block = new CounterBlock();
    block.add(openConnections(Transport.TCP), 3);
    block.add(openConnections(Transport.TCP), -1);
    expect((await samples(exposition([block]))).get('mediastreamer_connections_open{transport="tcp"}')).toBe(
      2,
    );
  });

  it('writes cumulative buckets, the sum and the count of a histogram', async () => {
    const blocks = [new CounterBlock(), new CounterBlock()];
    const resolved = queryDuration(QueryPath.RESOLVED);
    blocks[0].observe(resolved, 0.000002, 3);
    blocks[1].observe(resolved, 0.02);
    blocks[1].observe(resolved, 60);
    const all = await samples(exposition(blocks));
    const bucket = (le: string) =>
      all.get(`mediastreamer_query_duration_seconds_bucket{path="resolved",le="${le}"}`);
    expect(bucket('0.000001')).toBe(0);
    expect(bucket('0.000002')).toBe(3);
    expect(bucket('0.016384')).toBe(3);
    expect(bucket('0.032768')).toBe(4);
    expect(bucket('8.388608')).toBe(4);
    expect(bucket('+Inf')).toBe(5);
    expect(all.get('mediastreamer_query_duration_seconds_count{path="resolved"}')).toBe(5);
    expect(all.get('mediastreamer_query_duration_seconds_sum{path="resolved"}')).toBeCloseTo(60.020006, 9);
    expect(all.get('mediastreamer_query_duration_seconds_count{path="fast"}')).toBe(0);
  });

  it("shows AF_XDP's mode, queues and drops", async () => {
    const drops = { dropped: 1, ringFull: 2, fillEmpty: 3, invalid: 4 };
    const scraped = exposition([], {
      xdp: () => ({ interface: 'wan0', mode: 'zero-copy', queues: 8, drops }),
    });
    await samples(scraped);
    drops.ringFull = 5;
    const all = await samples(scraped);
    expect(all.get('mediastreamer_xdp_queues{interface="wan0",mode="zero-copy"}')).toBe(8);
    const reasons = ['oversize_or_memory', 'ring_full', 'no_frame', 'invalid_descriptor'];
    expect(reasons.map((reason) => all.get(`mediastreamer_xdp_drops_total{reason="${reason}"}`))).toEqual([
      1, 5, 3, 4,
    ]);
  });

  it('reads its sources at each scrape and omits missing ones', async () => {
    let entries = 1;
    let up = true;
    let upstreams = [
      { url: 'udp://192.0.2.53:53', healthy: true },
      { url: 'https://resolver.example/dns-query', healthy: false },
    ];
    const scraped = exposition([], {
      allowlist: () => ({
        entries,
        seq: 7,
        lagChanges: 2,
        lagSeconds: 0.5,
        unapplied: 0,
        reloads: 3,
        digestMismatches: 1,
      }),
      remoteList: () => ({
        states: ['following', 'from-disk'],
        state: up ? 'following' : 'from-disk',
        ageSeconds: 9,
        heartbeatAgeSeconds: 4,
      }),
      store: () => up,
      upstreams: () => upstreams,
    });
    const before = await samples(scraped);
    expect(before.get('mediastreamer_allowlist_entries')).toBe(1);
    expect(before.get('mediastreamer_allowlist_seq')).toBe(7);
    expect(before.get('mediastreamer_allowlist_lag_changes')).toBe(2);
    expect(before.get('mediastreamer_allowlist_lag_seconds')).toBe(0.5);
    expect(before.get('mediastreamer_allowlist_reloads')).toBe(3);
    expect(before.get('mediastreamer_allowlist_digest_mismatches')).toBe(1);
    expect(before.get('mediastreamer_allowlist_age_seconds')).toBe(9);
    expect(before.get('mediastreamer_allowlist_heartbeat_age_seconds')).toBe(4);
    expect(before.get('mediastreamer_allowlist_state{state="following"}')).toBe(1);
    expect(before.get('mediastreamer_allowlist_state{state="from-disk"}')).toBe(0);
    expect(before.get('mediastreamer_store_up')).toBe(1);
    expect(before.get('mediastreamer_upstream_healthy{index="0",upstream="udp://192.0.2.53:53"}')).toBe(1);
    expect(before.get('mediastreamer_upstream_healthy{index="1",upstream="https://resolver.example"}')).toBe(
      0,
    );
    expect(before.has('mediastreamer_cache_bytes')).toBe(false);
    entries = 2;
    up = false;
    upstreams = upstreams.slice(1);
    const after = await samples(scraped);
    expect(after.get('mediastreamer_allowlist_entries')).toBe(2);
    expect(after.get('mediastreamer_store_up')).toBe(0);
    expect(after.get('mediastreamer_allowlist_state{state="following"}')).toBe(0);
    expect(after.get('mediastreamer_allowlist_state{state="from-disk"}')).toBe(1);
    expect([...after.keys()].filter((key) => key.startsWith('mediastreamer_upstream_healthy'))).toHaveLength(
      1,
    );
  });

  it.each([
    ['off', 0, 0],
    ['unavailable', 0, 0],
    ['ready', 1, 0],
    ['engaging', 1, 0],
    ['engaged', 1, 1],
  ] as const)('shows a shield that is %s', async (state, available, engaged) => {
    const shield = () => ({ state, engagements: 3, dropped: 5_000_000_000, sampled: 7, entries: 9 });
    const all = await samples(exposition([], { shield }));
    const told = [...all].filter(([name]) => name.startsWith('mediastreamer_shield_'));
    expect(Object.fromEntries(told.map(([name, value]) => [name.slice(21), value]))).toEqual({
      available,
      engaged,
      entries: 9,
      engagements_total: 3,
      dropped_packets_total: 5_000_000_000,
      sampled_packets_total: 7,
    });
  });

  it("adds the process's own metrics: memory and event loop delay", async () => {
    const all = await samples(new Exposition());
    expect(all.get('process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(all.get('nodejs_heap_size_used_bytes')).toBeGreaterThan(0);
    const delays = [...all.keys()].filter((key) => key.startsWith('nodejs_eventloop_lag'));
    expect(delays).toEqual(
      ['mean', 'p50', 'p90', 'p99', 'max'].map((word) => `nodejs_eventloop_lag_${word}_seconds`),
    );
  });

  it("shows the event loop's longest delay since the last scrape", async () => {
    const exposition = new Exposition();
    await delay(250);
    const until = performance.now() + 400;
    while (performance.now() < until);
    await delay(1);
    expect((await samples(exposition)).get('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.2);
    expect((await samples(exposition)).get('nodejs_eventloop_lag_max_seconds')).toBe(0);
  });
});

describe('the contents of a metric', () => {
  it('come from closed sets: numbers in slots change values, never names or labels', async () => {
    const quiet = await samples(exposition([new CounterBlock()]));
    const block = new CounterBlock();
    for (let i = 0; i < SLOTS; i++) block.values[i] = Math.random() * 2 ** 40;
    const busy = await samples(exposition([block]));
    expect([...busy.keys()]).toEqual([...quiet.keys()]);
  });

  it('have labels of these names and forms only', () => {
    const values = FAMILIES.flatMap(({ labels }) => Object.values(labels).flat());
    for (const value of values)
      expect(value).toMatch(/^([a-z_]+|[2-5]xx|\/|(\/([a-z][\w-]*(\.(json|svg))?|:id))+)$/);
    const names = new Set(FAMILIES.flatMap(({ labels }) => Object.keys(labels)));
    expect([...names].toSorted()).toEqual([
      'path',
      'rcode',
      'result',
      'route',
      'status',
      'transport',
      'verdict',
    ]);
  });

  it.each([
    ['udp://192.0.2.53:53', 'udp://192.0.2.53:53'],
    ['tls://[2001:db8::53]:853#dns.example', 'tls://[2001:db8::53]:853'],
    ['https://user:secret@dns.example/client-id?key=secret', 'https://dns.example'],
    ['https://dns.example?key=secret', 'https://dns.example'],
    ['https://a@b:secret@dns.example/x', 'https://dns.example'],
    ['https://user:sec/ret@dns.example', 'other'],
    ['no url', 'other'],
  ])('show an upstream %s as %s', (url, label) => {
    expect(upstreamLabel(url)).toBe(label);
  });
});

describe('a deferred exposition', () => {
  it('knows its content type before loading, and loads once', async () => {
    const block = new CounterBlock();
    const later = new LaterExposition({ blocks: [block], processMetrics: false });
    const [first, second] = await Promise.all([later.load(), later.load()]);
    expect(second).toBe(first);
    expect(later.contentType).toBe(first.contentType);
    block.values[0] = 7;
    expect(await later.text()).toBe(await first.text());
    expect(await later.text()).toMatch(/ 7$/m);
  });
});
