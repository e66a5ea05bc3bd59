import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Log } from '../../src/cli/serve/log.ts';
import { LeaseExpiry } from '../../src/cli/serve/observe/lease-expiry.ts';
import { clockReadiness } from '../../src/cli/serve/observe/readiness.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

let nowMs: number;
let wallMs: number;
let expired: number;
let lines: string[];
beforeEach(() => {
  nowMs = 0;
  wallMs = Date.UTC(2026, 0, 1);
  expired = 0;
  lines = [];
});

function pass(ms: number): void {
  nowMs += ms;
  wallMs += ms;
}

async function start(): Promise<LeaseExpiry> {
  const write = (_: object, message: string): void => void lines.push(message);
  const log: Log = { fatal: write, error: write, warn: write, info: write, debug: write, level: 'info' };
  const registry = {
    isLeader: true,
    eraseLapsed: async () => 0,
    expireLeases: async () => {
      expired += 1;
      return 0;
    },
  };
  const expiry = new LeaseExpiry(registry, log, { now: () => nowMs, wallClock: () => wallMs });
  onTestFinished(() => expiry.stop());
  await expiry.expire();
  return expiry;
}

describe('leases', () => {
  it('end once a minute', async () => {
    const expiry = await start();
    expect(expired).toBe(1);
    pass(MINUTE_MS / 2);
    await expiry.expire();
    expect(expired).toBe(1);
    pass(MINUTE_MS / 2);
    await expiry.expire();
    expect(expired).toBe(2);
    expect(clockReadiness(expiry.clock)).toEqual({ ready: true, state: 'trusted' });
  });

  it('wait while the clock is more than a day ahead, and go on when it is back', async () => {
    const expiry = await start();
    pass(MINUTE_MS);
    wallMs += 100 * DAY_MS;
    await expiry.expire();
    expect(expired).toBe(1);
    expect(clockReadiness(expiry.clock)).toEqual({
      ready: false,
      state: 'jumped',
      detail: { jumpSeconds: (100 * DAY_MS) / 1000 },
    });
    pass(MINUTE_MS);
    await expiry.expire();
    expect([expired, lines]).toEqual([1, [expect.stringMatching(/^the clock jumped forward/)]]);
    wallMs -= 100 * DAY_MS;
    await expiry.expire();
    expect([expired, expiry.clock.jumpSeconds]).toEqual([2, 0]);
    expect(lines.at(-1)).toMatch(/^the clock is back/);
  });

  it('end by the new time after a day without a correction', async () => {
    const expiry = await start();
    wallMs += 2 * DAY_MS;
    pass(MINUTE_MS);
    await expiry.expire();
    pass(DAY_MS - 1);
    await expiry.expire();
    expect(expired).toBe(1);
    pass(1);
    await expiry.expire();
    expect(expired).toBe(2);
  });

  it.each([
    ['an hour forward', 3_600_000],
    ['an hour back', -3_600_000],
    ['a day back', -DAY_MS],
  ])('do not wait after a step of %s', async (_, stepMs) => {
    const expiry = await start();
    pass(MINUTE_MS);
    wallMs += stepMs;
    await expiry.expire();
    expect([expired, lines]).toEqual([2, []]);
  });
});
