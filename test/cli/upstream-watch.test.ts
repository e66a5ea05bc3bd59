import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UpstreamWatch } from '../../src/cli/serve/observe/upstream-watch.ts';

describe('readiness of the upstreams', () => {
  let nowMs: number;
  let healthy: boolean[];
  let misses: { stale: number; failed: number };
  let watch: UpstreamWatch;

  const open = (downSeconds: number): void => {
    watch = new UpstreamWatch({
      upstreams: () => healthy.map((each) => ({ healthy: each })),
      misses: () => misses,
      downSeconds,
      now: () => nowMs,
    });
  };
  const readinessAfter = (seconds: number): { ready: boolean; state: string } => {
    nowMs += seconds * 1000;
    const { ready, state } = watch.readiness();
    return { ready, state };
  };

  beforeEach(() => {
    nowMs = 5_000_000;
    healthy = [false, false];
    misses = { stale: 100, failed: 100 };
    open(30);
  });
  afterEach(() => watch.close());

  test('holds while one of them works', () => {
    healthy = [false, true];
    expect(readinessAfter(1000)).toEqual({ ready: true, state: 'up' });
  });

  test('ends after none has worked for the configured time, and returns with the first that works', () => {
    expect(readinessAfter(0)).toEqual({ ready: true, state: 'down' });
    expect(readinessAfter(29)).toEqual({ ready: true, state: 'down' });
    expect(readinessAfter(1)).toEqual({ ready: false, state: 'down' });
    healthy = [true, false];
    expect(readinessAfter(0)).toEqual({ ready: true, state: 'up' });
    healthy = [false, false];
    expect(readinessAfter(1)).toEqual({ ready: true, state: 'down' });
  });

  test('holds while stale answers cover most misses', () => {
    readinessAfter(0);
    misses = { stale: 160, failed: 150 };
    expect(readinessAfter(60)).toEqual({ ready: true, state: 'stale' });
    misses = { stale: 160, failed: 161 };
    expect(readinessAfter(1)).toEqual({ ready: false, state: 'down' });
  });

  test('never ends if so configured', () => {
    watch.close();
    open(0);
    readinessAfter(0);
    expect(readinessAfter(86_400)).toEqual({ ready: true, state: 'down' });
  });
});
