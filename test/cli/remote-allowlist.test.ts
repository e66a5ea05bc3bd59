/** State of an allowlist that follows Redis, with injected clocks. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AllowlistFollower, AllowlistTable, Profiles } from '../../src/allowlist/index.ts';
import type { Log } from '../../src/cli/serve/log.ts';
import { RemoteAllowlist } from '../../src/cli/serve/tables/remote-allowlist.ts';
import { FakeControl } from '../registry/follow/fake-control.ts';
import { RedisServer } from '../support/redis-server.ts';

const HOUR_MS = 3_600_000;

let server: RedisServer;
let control: FakeControl;
let dataDir: string;
beforeAll(async () => {
  server = await RedisServer.start();
  control = new FakeControl(server);
  dataDir = mkdtempSync(join(tmpdir(), 'remote-allowlist-'));
  await control.set(1);
  await control.set(2);
  await control.pack();
});
afterAll(async () => {
  control.redis.disconnect();
  await server.stop();
  rmSync(dataDir, { recursive: true });
});

const lines: string[] = [];
const write = (_: object, message: string): void => void lines.push(message);
const log: Log = { fatal: write, error: write, warn: write, info: write, debug: write, level: 'info' };

async function follow(wallClock: () => number) {
  const now = (): number => performance.now();
  const remote = await RemoteAllowlist.open({ url: server.url, dataDir, log, now, wallClock });
  const profiles = new Profiles();
  const follower = new AllowlistFollower({ feed: remote.feed, table: new AllowlistTable(), profiles, now });
  await follower.start(remote.fallback);
  remote.keep(follower);
  const stop = async (): Promise<void> => {
    follower.stop();
    await remote.close();
  };
  return { remote, follower, stop };
}

test('a clock that jumps an hour changes neither the age nor the state of the allowlist', async () => {
  let jumpMs = 0;
  const { remote, follower, stop } = await follow(() => Date.now() + jumpMs);
  await expect.poll(() => remote.state).toBe('following');
  for (const jump of [HOUR_MS, -HOUR_MS]) {
    jumpMs = jump;
    expect(remote.ageSeconds).toBeLessThan(60);
    expect(remote.heartbeatAgeSeconds).toBeLessThan(60);
    expect(remote.lagSeconds).toBeLessThan(60);
    // Redis's clock may jump too: any change of the heartbeat counts.
    await control.beat({ heartbeat: Date.now() + jump });
    expect(remote.state).toBe('following');
  }
  await control.set(3);
  await expect.poll(() => follower.state.entries).toBe(3);
  await stop();
});

test('an allowlist from disk keeps the age of the file, which is never negative', async () => {
  await server.kill();
  const late = await follow(() => Date.now() + 2 * HOUR_MS);
  expect(late.remote.state).toBe('from-disk');
  expect(Math.round(late.remote.ageSeconds / 3_600)).toBeGreaterThanOrEqual(1);
  await late.stop();
  const early = await follow(() => Date.now() - 24 * HOUR_MS);
  expect(early.remote.ageSeconds).toBe(0);
  expect(early.follower.state.entries).toBe(3);
  await early.stop();
  await server.launch();
});

test('a removed address leaves the file when the edge stops, and the log holds no address', async () => {
  await control.set(77);
  const first = await follow(Date.now);
  await expect.poll(() => first.follower.state.entries).toBe(4);
  await first.stop();
  const file = join(dataDir, 'last-known-list');
  const needle = Buffer.of(192, 0, 2, 77);
  expect(readFileSync(file).includes(needle)).toBe(true);
  await control.remove(77);
  const second = await follow(Date.now);
  await expect.poll(() => second.follower.state.entries).toBe(3);
  await second.stop();
  expect(readFileSync(file).includes(needle)).toBe(false);
  expect(lines.join('\n')).not.toContain('192.0.2');
});
