/** The feed of an edge on a real redis-server with a fake control. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AllowlistFollower, AllowlistTable, Profiles } from '../../../src/allowlist/index.ts';
import { type Profile, profileText } from '../../../src/feed/index.ts';
import {
  openRedisFeed,
  type RedisFeed,
  type RedisFeedOptions,
} from '../../../src/registry/store/redis/follow/index.ts';
import { encodeLogEntry, Key, logId, MetaField } from '../../../src/registry/store/redis/keys.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { FakeControl, GB, US } from './fake-control.ts';

let server: RedisServer;
let control: FakeControl;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  control = new FakeControl(server);
  await control.redis.flushall();
});

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
  control.redis.disconnect();
});

/** An edge without DNS: the feed and an allowlist that follows it. */
function edge(options: Partial<RedisFeedOptions> = {}) {
  const table = new AllowlistTable({ seed: 3 });
  const profiles = new Profiles();
  const feed: RedisFeed = openRedisFeed({
    url: server.url,
    now: () => performance.now(),
    random: () => 0.5,
    spreadMs: 0,
    ...options,
  });
  const follower = new AllowlistFollower({ feed, table, profiles, now: () => performance.now() });
  ended.push(
    () => feed.close(),
    () => follower.stop(),
  );
  const list = (): Record<number, string> => {
    const found: Record<number, string> = {};
    for (const { keys, profiles: indexes } of follower.snapshot()?.groups ?? []) {
      indexes.forEach((index, entry) => {
        found[keys[4 * entry + 3]] = profileText(follower.snapshot()!.profiles[index]);
      });
    }
    return found;
  };
  return { feed, follower, list };
}

const shown = (entries: ReadonlyMap<number, Profile>) =>
  Object.fromEntries([...entries].map(([last, profile]) => [last, profileText(profile)]));

async function soon(check: () => unknown): Promise<void> {
  await expect.poll(check, { timeout: 5_000, interval: 10 }).toBe(true);
}

/** Waits until the edge's allowlist equals the control's. */
async function same({ list, follower }: ReturnType<typeof edge>): Promise<void> {
  await soon(() => follower.state.seq === control.seq && follower.state.epoch === control.epoch);
  expect(list()).toEqual(shown(control.entries));
}

async function stocked(): Promise<void> {
  await control.set(1);
  await control.set(2, GB);
  await control.pack();
  await control.set(3);
  await control.remove(1);
  await control.beat();
}

describe('an allowlist is loaded', () => {
  test('from the snapshot and the log after it, then followed', async () => {
    await stocked();
    const one = edge();
    await one.follower.start();
    expect(one.list()).toEqual(shown(control.entries));
    await control.set(4, GB);
    await control.remove(2);
    await same(one);
    expect(one.follower.state).toMatchObject({ reloads: 0, digestMismatches: 0 });
    await soon(() => one.feed.state.lagChanges === 0 && one.feed.state.currentAtMs !== null);
  });

  test('from the log alone, before the first snapshot and trimming', async () => {
    await control.set(1);
    await control.set(1, GB);
    await control.beat();
    const one = edge();
    await one.follower.start();
    expect(one.list()).toEqual(shown(control.entries));
  });

  test('once the store exists; until then an edge without an allowlist waits', async () => {
    const one = edge();
    await one.follower.start({ lastKnown: null, waitMs: 50 });
    expect(one.follower.state.phase).toBe('loading');
    await soon(() => one.feed.state.phase === 'empty');
    await stocked();
    await same(one);
  });

  test('in batches, however long the log is', async () => {
    await control.pack();
    const pipeline = control.redis.pipeline();
    for (let seq = 1; seq <= 25_000; seq++) {
      const prefix = { family: 4, length: 32, bytes: Uint8Array.of(10, 0, seq >> 8, seq & 255) } as const;
      pipeline.xadd(
        Key.LOG,
        logId(seq),
        'c',
        encodeLogEntry({ seq, kind: 'set', prefix, profile: US }),
        't',
        1,
      );
    }
    await pipeline.exec();
    await control.redis.hset(Key.META, MetaField.SEQ, 25_000);
    const one = edge();
    await one.follower.start();
    expect(one.follower.state).toMatchObject({ seq: 25_000, entries: 25_000 });
  });
});

test('an edge reads a burst of changes in batches', async () => {
  await stocked();
  const one = edge();
  await one.follower.start();
  const reads = async () =>
    Number(/cmdstat_xread:calls=(\d+)/.exec(await control.redis.info('commandstats'))![1]);
  await soon(() => one.feed.state.phase === 'following');
  const before = await reads();
  const startedAt = performance.now();
  for (let index = 0; index < 500; index++) await control.set(10 + (index % 200));
  await same(one);
  const elapsedMs = performance.now() - startedAt;
  // One read each 25 ms, and one that waits.
  expect((await reads()) - before).toBeLessThanOrEqual(elapsedMs / 25 + 2);
});

describe('an edge notices soon, even without changes,', () => {
  let one: ReturnType<typeof edge>;
  let kept: Record<number, string>;
  beforeEach(async () => {
    await stocked();
    one = edge();
    await one.follower.start();
    kept = one.list();
  });

  /** Expects the allowlist to be held, and the feed to say why. */
  const holds = async (phase: string, reason: string | null = null) => {
    await soon(() => one.feed.state.phase === phase && one.feed.state.reason === reason);
    expect(one.list()).toEqual(kept);
  };

  test('a store that was emptied', async () => {
    await control.redis.flushall();
    await holds('lost-data', 'store-empty');
  });

  test('a stranger with another epoch', async () => {
    control.epoch = 'stranger';
    control.entries.clear();
    await control.pack();
    await holds('lost-data', 'other-epoch');
    await control.set(9);
    await delay(300);
    expect(one.list()).toEqual(kept);
  });

  test('a store that lacks changes it has seen', async () => {
    await control.redis.hset(Key.META, MetaField.SEQ, control.seq - 1);
    await holds('lost-data', 'older');
    await control.redis.hset(Key.META, MetaField.SEQ, control.seq);
    await same(one);
    await soon(() => one.feed.state.phase === 'following');
  });

  test('a promoted replica without changes that were not confirmed, and loads it once a control vouches', async () => {
    await control.beat({ [MetaField.CONFIRMED]: control.seq });
    const before = control.seq;
    await soon(() => one.feed.state.heartbeatAtMs !== null && one.feed.state.phase === 'following');
    await control.set(9);
    await same(one);
    kept = one.list();
    // The promoted replica never had the last change.
    await control.redis
      .multi()
      .xdel(Key.LOG, logId(control.seq))
      .call('XSETID', Key.LOG, logId(before))
      .hset(Key.META, MetaField.SEQ, before)
      .exec();
    control.seq = before;
    control.entries.delete(9);
    await holds('lost-data', 'older');
    await control.beat();
    await same(one);
    await control.set(8);
    await same(one);
    expect(one.list()[9]).toBeUndefined();
  });

  test('a promoted replica without a confirmed change, even if a control vouches', async () => {
    await control.beat({ [MetaField.CONFIRMED]: control.seq });
    await delay(700);
    await control.redis.hset(Key.META, MetaField.SEQ, control.seq - 1);
    await holds('lost-data', 'older');
    await control.redis.hset(Key.META, MetaField.HEARTBEAT, Date.now() + 1);
    await delay(1_200);
    await holds('lost-data', 'older');
  });

  test('a store with another history at the same number', async () => {
    const last = logId(control.seq);
    await control.set(7);
    await same(one);
    kept = one.list();
    await control.redis.hset(Key.META, MetaField.SEQ, Number.parseInt(last, 10));
    await soon(() => one.feed.state.reason === 'older');
    await control.redis.del(Key.LOG);
    for (const at of [logId(control.seq), logId(control.seq + 1)]) {
      await control.redis.xadd(
        Key.LOG,
        at,
        'c',
        encodeLogEntry({ seq: 0, kind: 'remove', prefix: prefix7 }),
        't',
        1,
      );
    }
    await control.redis.hset(Key.META, MetaField.SEQ, control.seq + 1);
    await holds('lost-data', 'other-history');
  });

  test('a loss that a control has found', async () => {
    await control.redis.hset(Key.META, MetaField.LOST_SEQ, control.seq + 5);
    await holds('lost-data', 'found-by-control');
  });

  test('a store of a newer format', async () => {
    await control.redis.hset(Key.META, { [MetaField.FORMAT]: 2, [MetaField.LEAST_FORMAT]: 2 });
    await holds('newer-format');
    await control.redis.hset(Key.META, { [MetaField.LEAST_FORMAT]: 1 });
    await control.set(8);
    await same(one);
  });

  test('changes that were trimmed too early, and loads again', async () => {
    await control.redis.xtrim(Key.LOG, 'MAXLEN', 0);
    await control.redis
      .multi()
      .hset(Key.META, MetaField.SEQ, control.seq + 5)
      .exec();
    control.seq += 5;
    control.entries.set(12, GB);
    await control.pack();
    await control.trim();
    await same(one);
    expect(one.follower.state.reloads).toBe(1);
  });

  test('a stream that was recreated below its cursor', async () => {
    await control.redis.del(Key.LOG);
    control.seq += 1;
    control.entries.set(12, GB);
    await control.pack();
    await same(one);
    expect(one.follower.state.reloads).toBe(1);
  });

  test('a digest that differs, and loads again', async () => {
    control.entries.set(50, GB);
    await control.pack();
    await soon(() => one.follower.state.digestMismatches === 1);
    await soon(() => one.follower.state.reloads === 1);
    expect(one.list()).toEqual(shown(control.entries));
    await soon(() => one.follower.state.digestCheck === 'agrees');
    await control.set(51, GB);
    await same(one);
    await soon(() => one.follower.state.digestCheck === 'agrees');
  });

  test('an adopted epoch that names the held one', async () => {
    control.entries.clear();
    control.seq = 0;
    await control.redis.flushall();
    await holds('lost-data', 'store-empty');
    await control.adopt('e2');
    await control.set(33, GB);
    await same(one);
    expect(one.follower.state.reloads).toBe(1);
  });
});

test('a snapshot of another version is reported, and loaded once it can be read', async () => {
  await stocked();
  const packed = (await control.redis.getBuffer(Key.SNAPSHOT))!;
  packed.writeUInt16BE(2, 6);
  await control.redis.set(Key.SNAPSHOT, packed);
  const one = edge();
  await one.follower.start({ lastKnown: null, waitMs: 200 });
  await soon(() => one.feed.state.phase === 'newer-format');
  expect(one.feed.state.reason).toBe('snapshot');
  await control.pack();
  await same(one);
});

test('a store that lacks changes of the allowlist on disk is not loaded', async () => {
  await stocked();
  const one = edge({ held: { epoch: 'e1', seq: control.seq + 1 } });
  await one.follower.start({ lastKnown: { ...control.list, seq: control.seq + 1 }, waitMs: 200 });
  expect(one.follower.state.phase).toBe('restored');
  expect(one.feed.state).toMatchObject({ phase: 'lost-data', reason: 'older' });
});

test('a closed feed rejects pending and later snapshots', async () => {
  const { feed } = edge();
  const waiting = feed.snapshot();
  await feed.close();
  await expect(waiting).rejects.toMatchObject({ code: 'feed_closed' });
  await expect(feed.snapshot()).rejects.toMatchObject({ code: 'feed_closed' });
});

const prefix7 = { family: 4, length: 32, bytes: Uint8Array.of(192, 0, 2, 7) } as const;
