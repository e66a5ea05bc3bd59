import { beforeEach, describe, expect, it } from 'vitest';
import type {
  MonitorSettings,
  ProbedAddress,
  ProbeOutcome,
  ProbeReport,
} from '../../../src/catalog/health/index.ts';
import { RelayMonitor } from '../../../src/catalog/health/index.ts';

const SETTINGS: MonitorSettings = {
  names: ['a.example', 'b.example'],
  intervalMs: 10_000,
  timeoutMs: 5000,
  fall: 2,
  rise: 1,
  concurrency: 2,
};
const at = (address: string, region = 'us'): ProbedAddress => ({ region, address });

interface Running {
  readonly address: string;
  readonly name: string;
  readonly signal: AbortSignal;
  end(outcome: ProbeOutcome): Promise<void>;
}

/** A monitor with a clock and probes under the test's control. */
class Bench {
  nowMs = 0;
  random = 0.5;
  readonly running: Running[] = [];
  readonly changes: string[] = [];
  readonly monitor: RelayMonitor;
  private readonly timers: { dueMs: number; callback: () => void }[] = [];

  constructor(settings: Partial<MonitorSettings> = {}) {
    this.monitor = new RelayMonitor(
      {
        now: () => this.nowMs,
        random: () => this.random,
        after: (milliseconds, callback) => {
          const timer = { dueMs: this.nowMs + milliseconds, callback };
          this.timers.push(timer);
          return () => {
            const index = this.timers.indexOf(timer);
            if (index >= 0) this.timers.splice(index, 1);
          };
        },
        probe: (address, name, signal) =>
          new Promise<ProbeReport>((resolve) => {
            const running: Running = {
              address,
              name,
              signal,
              end: async (outcome) => {
                this.running.splice(this.running.indexOf(running), 1);
                resolve({ outcome, milliseconds: 20 });
                await new Promise(setImmediate);
              },
            };
            this.running.push(running);
          }),
        onChange: ({ address }, { isUp }) => this.changes.push(`${address} ${isUp ? 'up' : 'down'}`),
      },
      { ...SETTINGS, ...settings },
    );
  }

  /** Advances the clock and fires due timers in order. */
  pass(milliseconds: number): void {
    const end = this.nowMs + milliseconds;
    for (;;) {
      const due = this.timers.toSorted((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined || due.dueMs > end) break;
      this.nowMs = due.dueMs;
      this.timers.splice(this.timers.indexOf(due), 1);
      due.callback();
    }
    this.nowMs = end;
  }

  get dueInMs(): number[] {
    return this.timers.map(({ dueMs }) => Math.round(dueMs - this.nowMs)).sort((a, b) => a - b);
  }

  /** Ends the running probe. */
  end(outcome: ProbeOutcome): Promise<void> {
    return this.running[0]!.end(outcome);
  }
}

describe('the lateness of probes', () => {
  it('is that of the first one that waits, then that of the latest one that began', async () => {
    const bench = new Bench({ concurrency: 1 });
    const settings = { ...SETTINGS, concurrency: 1 };
    bench.monitor.use([at('192.0.2.1'), at('192.0.2.2')], settings);
    bench.pass(5000);
    expect(bench.monitor.latenessMs).toBe(0);
    bench.pass(3000);
    expect(bench.monitor.latenessMs).toBe(3000);
    await bench.end('ok');
    bench.pass(1000);
    expect(bench.monitor.latenessMs).toBe(3000);
    await bench.end('ok');
    // Both are due again 10 s after they ended.
    bench.pass(10_000);
    await bench.end('ok');
    await bench.end('ok');
    expect(bench.monitor.latenessMs).toBeLessThanOrEqual(1000);
  });
});

describe('a monitor of relays', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
    bench.monitor.use([at('192.0.2.1')], SETTINGS);
  });

  it('spreads first probes over an interval, and later ones with a tenth of jitter', async () => {
    expect(bench.dueInMs).toEqual([5000]);
    for (const [random, next] of [
      [0, 9000],
      [0.5, 10_000],
      [0.999, 10_998],
    ] as const) {
      bench.pass(11_000);
      bench.random = random;
      await bench.end('ok');
      expect(bench.dueInMs).toEqual([next]);
    }
  });

  it('probes five times as often while in doubt', async () => {
    bench.pass(10_000);
    await bench.end('unreachable');
    expect(bench.dueInMs).toEqual([2000]);
    bench.pass(2000);
    await bench.end('unreachable');
    expect(bench.changes).toEqual(['192.0.2.1 down']);
    expect(bench.dueInMs).toEqual([10_000]);
    bench.pass(10_000);
    await bench.end('ok');
    expect(bench.changes).toEqual(['192.0.2.1 down', '192.0.2.1 up']);
  });

  it('tries another name before a relay counts as failed, and begins with each in turn', async () => {
    bench.pass(10_000);
    expect(bench.running[0]?.name).toBe('a.example');
    await bench.end('no-address');
    expect(bench.running[0]?.name).toBe('b.example');
    await bench.end('ok');
    expect(bench.monitor.healthOf(at('192.0.2.1'))).toMatchObject({ isUp: true, latest: 'ok' });
    bench.pass(10_000);
    expect(bench.running[0]?.name).toBe('b.example');
    await bench.end('timeout');
    await bench.end('certificate');
    expect(bench.monitor.healthOf(at('192.0.2.1'))).toMatchObject({ isInDoubt: true, latest: 'certificate' });
  });

  it.each(['unreachable', 'draining', 'untried'] as const)(
    'does not try another name when it is %s',
    async (outcome) => {
      bench.pass(10_000);
      await bench.end(outcome);
      expect(bench.running).toEqual([]);
    },
  );

  it('keeps to its concurrency and loses no probe', async () => {
    const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5'];
    bench.monitor.use(
      addresses.map((address) => at(address)),
      SETTINGS,
    );
    bench.pass(10_000);
    const seen: string[] = [];
    while (bench.running.length > 0) {
      expect(bench.running.length).toBeLessThanOrEqual(2);
      seen.push(bench.running[0]!.address);
      await bench.end('ok');
    }
    expect(seen).toEqual(addresses);
    expect(bench.dueInMs).toHaveLength(5);
  });

  it('keeps the results of relays that stay in a new configuration', async () => {
    bench.pass(10_000);
    const behind = bench.running[0]!;
    bench.monitor.use([at('192.0.2.1'), at('192.0.2.2')], { ...SETTINGS, fall: 1 });
    await behind.end('unreachable');
    expect(bench.monitor.healthOf(at('192.0.2.1'))?.latest).toBeNull();
    bench.pass(10_000);
    await bench.end('unreachable');
    bench.monitor.use([at('192.0.2.1')], SETTINGS);
    expect(bench.monitor.healthOf(at('192.0.2.1'))).toMatchObject({ isUp: false });
    expect(bench.monitor.healthOf(at('192.0.2.2'))).toBeNull();
    expect(bench.monitor.healthOf(at('192.0.2.1', 'gb'))).toBeNull();
  });

  it('probes nothing and knows nothing without names', () => {
    bench.monitor.use([at('192.0.2.1')], { ...SETTINGS, names: [] });
    expect(bench.dueInMs).toEqual([]);
    expect(bench.monitor.healthOf(at('192.0.2.1'))).toBeNull();
  });

  it('aborts running probes when it is stopped', async () => {
    bench.pass(10_000);
    const [running] = bench.running;
    bench.monitor.stop();
    expect(running!.signal.aborted).toBe(true);
    await running!.end('untried');
    expect(bench.dueInMs).toEqual([]);
    expect(bench.changes).toEqual([]);
  });
});
