import { describe, expect, it } from 'vitest';
import { exceeded, prometheusText, summarize, summaryText } from '../../src/load/index.ts';
import { categoryOf, Tallies, WARM_UP } from '../../src/load/tallies.ts';
import { planOf } from './support.ts';

const MEASURED = { seconds: 2, cpuSeconds: 0.5 };
const reply = (rcode: number, second = 0x80): Uint8Array =>
  Uint8Array.of(0, 1, second, rcode, ...new Uint8Array(8));
const CATALOG = categoryOf(0, false);

/** A thousand answers of 1 to 1000 ms, one lost, one unsent, and one that is not a response. */
function counted(): Tallies {
  const tallies = new Tallies();
  for (let i = 1; i <= 1000; i++) {
    tallies.sent(CATALOG, i === 1 ? 5 : 0.1);
    tallies.answered(CATALOG, i, reply(i % 10 === 0 ? 2 : 0, i === 7 ? 0x82 : 0x80));
  }
  tallies.sent(CATALOG, 0);
  tallies.lost(CATALOG);
  tallies.sent(CATALOG, 0);
  tallies.answered(CATALOG, 1, reply(0, 0));
  tallies.unsent(CATALOG);
  return tallies;
}

describe('the summary of a load', () => {
  it('counts sent, answered and lost queries, rcodes, and latency to three figures', () => {
    const { registered, unregistered, kinds, generator, ...rest } = summarize(planOf(), counted(), MEASURED);
    expect(registered).toMatchObject({
      due: 1003,
      sent: 1002,
      answered: 1000,
      lost: 1,
      unsent: 1,
      invalid: 1,
      truncated: 1,
      rcodes: { NOERROR: 900, SERVFAIL: 100 },
    });
    expect(registered!.lossPercent).toBeCloseTo(300 / 1003, 6);
    const { mean, p50, p90, p99, p999, max } = registered!.latencyMs;
    for (const [found, wanted] of [
      ...[[mean, 500.5] as const, [p50, 500] as const, [p90, 900] as const],
      ...[[p99, 990] as const, [p999, 999] as const, [max, 1000] as const],
    ]) {
      expect(Math.abs(found! / wanted - 1)).toBeLessThan(0.002);
    }
    expect([unregistered, kinds]).toEqual([null, {}]);
    expect(generator).toEqual({
      late: 1,
      maxDelayMs: 5,
      unexpected: 0,
      connectionFaults: 0,
      cpuSeconds: 0.5,
    });
    expect(rest).toMatchObject({ sentPerSecond: 501, answersPerSecond: 500 });
  });

  it('leaves the warm-up out', () => {
    const tallies = new Tallies();
    tallies.sent(WARM_UP, 9);
    tallies.answered(WARM_UP, 5, reply(0));
    const summary = summarize(planOf(), tallies, MEASURED);
    expect([summary.registered, summary.unregistered, summary.generator.late]).toEqual([null, null, 0]);
    expect(exceeded(summary, { maxP99Ms: 1, maxLossPercent: null })).toEqual(['nothing was sent']);
  });

  it('is a table for people', () => {
    const text = summaryText(summarize(planOf(), counted(), MEASURED));
    expect(text).toContain('p99.9');
    expect(text).toContain('registered: NOERROR 900, SERVFAIL 100, truncated 1, invalid 1');
  });

  it('is text for Prometheus', async () => {
    const tallies = counted();
    const text = await prometheusText(tallies, summarize(planOf(), tallies, MEASURED));
    const labels = 'kind="catalog",source="registered"';
    expect(text).toContain(`mediastreamer_load_queries_total{${labels},result="lost"} 1\n`);
    expect(text).toContain(`mediastreamer_load_answers_total{${labels},rcode="SERVFAIL"} 100\n`);
    expect(text).toMatch(/mediastreamer_load_latency_seconds\{.*quantile="0\.99"\} 0\.99/);
    for (const line of text.split('\n').filter((line) => line !== '')) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) mediastreamer_load_\w+ .+|mediastreamer_load_\w+(\{[^}]*\})? \S+)$/,
      );
    }
  });
});

describe('thresholds', () => {
  const summary = summarize(planOf(), counted(), MEASURED);
  it('are met by figures within them, or if there are none', () => {
    expect(exceeded(summary, { maxP99Ms: null, maxLossPercent: null })).toEqual([]);
    expect(exceeded(summary, { maxP99Ms: 1000, maxLossPercent: 0.3 })).toEqual([]);
  });

  it('are exceeded by latency, by loss, and by a load without any answer', () => {
    expect(exceeded(summary, { maxP99Ms: 900, maxLossPercent: 0.2 })).toEqual([
      expect.stringMatching(/^p99 is 9\d\d.* ms, above 900 ms$/),
      'loss is 0.2991 %, above 0.2 %',
    ]);
    const silent = new Tallies();
    silent.sent(CATALOG, 0);
    silent.lost(CATALOG);
    const faults = exceeded(summarize(planOf(), silent, MEASURED), { maxP99Ms: 5, maxLossPercent: null });
    expect(faults).toEqual(['p99 is unknown: nothing was answered, above 5 ms']);
  });

  it('apply to registered sources, whose queries an edge never drops by design', () => {
    const tallies = counted();
    for (let i = 0; i < 500; i++) {
      tallies.sent(categoryOf(0, true), 0);
      tallies.lost(categoryOf(0, true));
    }
    expect(exceeded(summarize(planOf(), tallies, MEASURED), { maxP99Ms: null, maxLossPercent: 1 })).toEqual(
      [],
    );
  });
});
