import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AllowlistFollower,
  AllowlistReader,
  AllowlistTable,
  FollowerStoppedError,
  ProfileLimitReachedError,
  Profiles,
  type Reload,
  SnapshotOutdatedError,
} from '../../src/allowlist/index.ts';
import {
  type Change,
  digestSnapshot,
  type Feed,
  type FeedListener,
  type Profile,
  type Snapshot,
} from '../../src/feed/index.ts';
import { parsePrefix } from '../../src/net/index.ts';
import { source } from './sources.ts';

const US: Profile = { region: 'us', services: {}, ipv4: true, ipv6: false };
const GB: Profile = { ...US, region: 'gb' };

function set(seq: number, last: number, profile = US): Change {
  return { seq, kind: 'set', prefix: parsePrefix(`192.0.2.${last}/32`)!, profile };
}

function remove(seq: number, last: number): Change {
  return { seq, kind: 'remove', prefix: parsePrefix(`192.0.2.${last}/32`)! };
}

function snapshotOf(entries: ReadonlyMap<number, Profile>, seq: number, epoch: string): Snapshot {
  const profiles = [...new Set(entries.values())];
  const group = {
    family: 4,
    length: 32,
    count: entries.size,
    keys: Uint8Array.from([...entries.keys()].flatMap((last) => [192, 0, 2, last])),
    profiles: Uint16Array.from([...entries.values()].map((profile) => profiles.indexOf(profile))),
  } as const;
  return { version: 1, epoch, seq, profiles, groups: [group] };
}

/** A log in memory that can drop messages and delivers snapshots on demand. */
class FakeFeed implements Feed {
  readonly entries = new Map<number, Profile>();
  epoch = 'e1';
  seq = 0;
  failure: Error | null = null;
  subscribers = 0;
  snapshots = 0;
  private listener: FeedListener = () => {};
  private held: (() => void)[] | null = null;

  subscribe(listener: FeedListener): () => void {
    this.subscribers += 1;
    this.listener = listener;
    return () => {
      this.subscribers -= 1;
    };
  }

  snapshot(): Promise<Snapshot> {
    this.snapshots += 1;
    if (this.failure) return Promise.reject(this.failure);
    const snapshot = snapshotOf(this.entries, this.seq, this.epoch);
    if (!this.held) return Promise.resolve(snapshot);
    return new Promise((resolve) => this.held?.push(() => resolve(snapshot)));
  }

  hold(): void {
    this.held ??= [];
  }

  letGo(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const each of held) each();
  }

  make(change: Change): void {
    this.seq = change.seq;
    const last = change.prefix.bytes[3];
    if (change.kind === 'set') this.entries.set(last, change.profile);
    else this.entries.delete(last);
  }

  tell(...changes: Change[]): void {
    this.listener(changes);
  }

  tellFrom(epoch: string, ...changes: Change[]): void {
    this.listener(changes, epoch);
  }

  happen(...changes: Change[]): void {
    for (const change of changes) this.make(change);
    this.tell(...changes);
  }
}

/** Waits until all promises that can settle have settled. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function setUp(options: { limit?: number; maxPending?: number } = {}) {
  const feed = new FakeFeed();
  const table = new AllowlistTable({ seed: 7 });
  const reader = new AllowlistReader(table.handle());
  table.onReplaced((handle) => reader.attach(handle));
  const profiles = new Profiles(options.limit ? { limit: options.limit } : {});
  const reloads: Reload[] = [];
  const errors: unknown[] = [];
  const timers: { callback: () => void; delayMs: number }[] = [];
  const clock = { ms: 5 };
  const follower = new AllowlistFollower({
    feed,
    table,
    profiles,
    now: () => clock.ms,
    onReload: (reload) => reloads.push(reload),
    onError: (error) => errors.push(error),
    setTimer: (callback, delayMs) => {
      timers.push({ callback, delayMs });
      return () => {};
    },
    ...(options.maxPending ? { maxPending: options.maxPending } : {}),
  });
  const regionAt = (last: number): string | null => {
    const id = reader.lookup(source(`192.0.2.${last}`));
    return id === 0 ? null : profiles.get(id).region;
  };
  const served = (): Record<number, string> => {
    const found: Record<number, string> = {};
    for (let last = 0; last < 256; last++) {
      const region = regionAt(last);
      if (region) found[last] = region;
    }
    return found;
  };
  /** Lets time pass; calls the timers that were due, once. */
  const pass = (ms: number): void => {
    clock.ms += ms;
    for (const { callback } of timers.splice(0)) callback();
  };
  return { feed, table, profiles, follower, reloads, errors, timers, served, pass };
}

describe('the follower', () => {
  test('loads the allowlist, then follows it change by change', async () => {
    const { feed, follower, served } = setUp();
    feed.make(set(1, 1));
    await follower.start();
    expect(served()).toEqual({ 1: 'us' });
    feed.happen(set(2, 2, GB), set(3, 1, GB));
    expect(served()).toEqual({ 1: 'gb', 2: 'gb' });
    feed.happen(remove(4, 1));
    expect(served()).toEqual({ 2: 'gb' });
    expect(follower.state).toEqual({
      phase: 'following',
      epoch: 'e1',
      unapplied: 0,
      seq: 4,
      entries: 1,
      lagChanges: 0,
      behindSinceMs: null,
      reloads: 0,
      errors: 0,
      skipped: 0,
      loadedAtMs: 5,
      digest: digestSnapshot(snapshotOf(new Map([[2, GB]]), 4, 'e1')),
      digestCheck: 'unchecked',
      digestMismatches: 0,
    });
  });

  test('accepts an empty allowlist', async () => {
    const { follower } = setUp();
    await follower.start();
    expect(follower.state).toMatchObject({ phase: 'following', epoch: 'e1', seq: 0, entries: 0 });
  });

  test('keeps changes that arrive while the snapshot loads, and skips those that it already holds', async () => {
    const { feed, follower, served } = setUp();
    feed.make(set(1, 1));
    feed.hold();
    const started = follower.start();
    feed.tell(set(1, 1, GB));
    feed.happen(set(2, 2));
    feed.happen(set(3, 3), remove(4, 1));
    expect(follower.state).toMatchObject({ phase: 'loading', lagChanges: 4 });
    expect(served()).toEqual({});
    feed.letGo();
    await started;
    expect(served()).toEqual({ 2: 'us', 3: 'us' });
    feed.tell(set(4, 9));
    expect(served()).toEqual({ 2: 'us', 3: 'us' });
  });

  test('reloads after a gap, serving the old allowlist until then', async () => {
    const { feed, follower, served, reloads } = setUp();
    await follower.start();
    feed.happen(set(1, 1));
    feed.make(set(2, 2));
    feed.hold();
    feed.happen(remove(3, 1));
    expect(follower.state).toMatchObject({ phase: 'reloading', seq: 1, lagChanges: 2, behindSinceMs: 5 });
    feed.happen(set(4, 4));
    expect(served()).toEqual({ 1: 'us' });
    feed.letGo();
    await settled();
    expect(served()).toEqual({ 2: 'us', 4: 'us' });
    expect(reloads).toEqual([{ reason: 'gap', entries: 2, durationMs: 0 }]);
    expect(follower.state).toMatchObject({ phase: 'following', seq: 4, reloads: 1, behindSinceMs: null });
  });

  test('reloads when changes come from another epoch', async () => {
    const { feed, follower, served, reloads } = setUp();
    feed.make(set(50, 1));
    await follower.start();
    feed.entries.clear();
    feed.epoch = 'e2';
    feed.make(set(1, 2, GB));
    feed.tellFrom('e2', set(1, 2, GB));
    await settled();
    expect(served()).toEqual({ 2: 'gb' });
    expect(reloads[0].reason).toBe('epoch');
    feed.happen(set(2, 3));
    expect(follower.state).toMatchObject({ epoch: 'e2', seq: 2, entries: 2, lagChanges: 0 });
  });

  test('refuses a snapshot older than the changes received, and asks again later', async () => {
    const { feed, follower, served, errors, timers } = setUp();
    await follower.start();
    feed.happen(set(1, 1));
    feed.tell(set(3, 3));
    await settled();
    expect(errors).toEqual([expect.any(SnapshotOutdatedError)]);
    expect(served()).toEqual({ 1: 'us' });
    feed.make(set(2, 2));
    feed.make(set(3, 3));
    timers[0].callback();
    await settled();
    expect(served()).toEqual({ 1: 'us', 2: 'us', 3: 'us' });
    expect(follower.state.phase).toBe('following');
  });

  test('retries with backoff while the feed fails', async () => {
    const { feed, follower, served, errors, timers } = setUp();
    await follower.start();
    feed.happen(set(1, 1));
    feed.failure = new Error('away');
    feed.tell(set(9, 9));
    for (let attempt = 0; attempt < 7; attempt++) {
      await settled();
      timers[attempt].callback();
    }
    await settled();
    expect(timers.slice(0, 7).map(({ delayMs }) => delayMs)).toEqual(
      [1, 2, 4, 8, 16, 30, 30].map((s) => s * 1000),
    );
    expect(errors.length).toBe(8);
    expect(served()).toEqual({ 1: 'us' });
    feed.failure = null;
    feed.seq = 9;
    timers[7].callback();
    await settled();
    expect(follower.state).toMatchObject({ phase: 'following', seq: 9, errors: 8 });
  });

  test('reloads when more changes arrived during the load than it keeps', async () => {
    const { feed, follower, served, timers } = setUp({ maxPending: 2 });
    feed.hold();
    const started = follower.start();
    feed.happen(set(1, 1), set(2, 2), set(3, 3));
    feed.letGo();
    await settled();
    timers[0].callback();
    await started;
    expect(served()).toEqual({ 1: 'us', 2: 'us', 3: 'us' });
    expect(feed.snapshots).toBe(2);
  });

  test('gives up when the first snapshot fails, and unsubscribes', async () => {
    const { feed, follower } = setUp();
    feed.failure = new Error('away');
    await expect(follower.start()).rejects.toThrow('away');
    expect(feed.subscribers).toBe(0);
    expect(follower.state.phase).toBe('stopped');
  });

  test('can be stopped before and after the allowlist is loaded', async () => {
    const one = setUp();
    one.feed.hold();
    const started = one.follower.start();
    one.follower.stop();
    one.feed.letGo();
    await expect(started).rejects.toThrow(FollowerStoppedError);
    const other = setUp();
    await other.follower.start();
    other.follower.stop();
    other.feed.happen(set(1, 1));
    expect(other.served()).toEqual({});
    expect(other.feed.subscribers).toBe(0);
  });

  test('applies changes behind one that fails, and that one as soon as it can', async () => {
    const { feed, follower, served, errors, pass } = setUp({ limit: 1 });
    await follower.start();
    feed.happen(set(1, 1), set(2, 2, GB), set(3, 3));
    expect(served()).toEqual({ 1: 'us', 3: 'us' });
    expect(errors).toEqual([expect.any(ProfileLimitReachedError)]);
    expect(follower.state).toMatchObject({ seq: 3, errors: 1, unapplied: 1 });
    expect([follower.hasApplied(2, 2), follower.hasApplied(1, 3)]).toEqual([false, false]);
    expect([follower.hasApplied(3, 3), follower.hasApplied(4, 4)]).toEqual([true, false]);
    pass(100);
    expect(follower.state.unapplied).toBe(1);
    feed.happen(remove(4, 1), remove(5, 3));
    await settled();
    pass(200);
    expect(served()).toEqual({ 2: 'gb' });
    expect(follower.state).toMatchObject({ unapplied: 0, reloads: 0 });
    expect(follower.hasApplied(1, 5)).toBe(true);
  });

  test('drops a waiting change when a newer one of its prefix comes', async () => {
    const { feed, follower, served, pass } = setUp({ limit: 1 });
    await follower.start();
    feed.happen(set(1, 1), set(2, 2, GB), remove(3, 2), remove(4, 1));
    await settled();
    pass(5_000);
    expect(served()).toEqual({});
    expect(follower.state.unapplied).toBe(0);
  });

  test('reloads after a change that fails for another reason than a lack of ids', async () => {
    const { feed, follower, reloads, table, pass } = setUp();
    await follower.start();
    const { set: original } = table;
    table.set = () => {
      throw new Error('damaged');
    };
    feed.happen(set(1, 1));
    for (let retry = 0; retry < 4 && reloads.length === 0; retry++) {
      pass(5_000);
      await settled();
    }
    expect(reloads).toMatchObject([{ reason: 'change' }]);
    table.set = original;
    expect(follower.state).toMatchObject({ unapplied: 0, entries: 1, phase: 'following' });
  });

  test("coalesces a prefix's new profiles within 200 ms, and holds no other change back", async () => {
    const { feed, follower, served, profiles, pass } = setUp();
    await follower.start();
    const choice = (region: string): Profile => ({ ...US, region });
    feed.happen(
      set(1, 1, choice('a')),
      set(2, 1, choice('b')),
      set(3, 1, choice('c')),
      set(4, 2, choice('d')),
    );
    expect(served()).toEqual({ 1: 'a', 2: 'd' });
    expect([follower.hasApplied(3, 3), follower.hasApplied(4, 4), follower.state.unapplied]).toEqual([
      false,
      true,
      0,
    ]);
    pass(200);
    expect(served()).toEqual({ 1: 'c', 2: 'd' });
    expect(profiles.has(choice('b'))).toBe(false);
    feed.happen(set(5, 1, choice('e')), remove(6, 1));
    expect(served()).toEqual({ 2: 'd' });
    pass(200);
    expect(served()).toEqual({ 2: 'd' });
  });

  test('references a profile once for each entry, and no other', async () => {
    const { feed, follower, profiles } = setUp();
    feed.make(set(1, 1));
    await follower.start();
    feed.happen(set(2, 2, GB), set(3, 3, GB), set(4, 3, GB), set(5, 1, GB));
    expect(profiles.size).toBe(1);
    feed.make(set(6, 4));
    feed.seq = 9;
    feed.tell(set(9, 9));
    await settled();
    expect(profiles.size).toBe(2);
    const [us, gb] = [profiles.intern(US), profiles.intern(GB)];
    profiles.release(us, 2);
    profiles.release(gb, 4);
    expect(profiles.size).toBe(0);
    expect(() => profiles.release(gb)).toThrow(RangeError);
  });

  test("ends with the feed's allowlist, whatever was lost, doubled or late", async () => {
    const event = fc.record({
      last: fc.nat(7),
      kind: fc.constantFrom('us', 'gb', 'remove'),
      fate: fc.constantFrom('told', 'told', 'told', 'lost', 'doubled', 'held', 'let go'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
        const { feed, follower, served, pass, table, profiles } = setUp();
        await follower.start();
        for (const { last, kind, fate } of events) {
          const seq = feed.seq + 1;
          const change = kind === 'remove' ? remove(seq, last) : set(seq, last, kind === 'us' ? US : GB);
          feed.make(change);
          if (fate === 'held') feed.hold();
          if (fate !== 'lost') feed.tell(change);
          if (fate === 'doubled') feed.tell(change);
          if (fate === 'let go') feed.letGo();
          if (seq % 3 === 0) await settled();
        }
        feed.letGo();
        feed.happen(set(feed.seq + 1, 99));
        for (let round = 0; round < 4; round++) {
          await settled();
          pass(250);
        }
        const expected = Object.fromEntries([...feed.entries].map(([last, { region }]) => [last, region]));
        expect(served()).toEqual(expected);
        expect(table.size).toBe(feed.entries.size);
        expect(profiles.size).toBe(new Set(feed.entries.values()).size);
      }),
      { numRuns: 150 },
    );
  });
});

describe('with a fallback', () => {
  const kept = snapshotOf(new Map([[7, US]]), 3, 'e1');
  const late = (timers: { callback: () => void }[]) => timers.shift()!.callback();

  test("takes the feed's allowlist if it comes in time", async () => {
    const { feed, follower, served } = setUp();
    feed.make(set(1, 1));
    await follower.start({ lastKnown: kept, waitMs: 10 });
    expect(served()).toEqual({ 1: 'us' });
    expect(follower.state.phase).toBe('following');
  });

  test('serves the last known allowlist until the feed delivers one', async () => {
    const { feed, follower, served, timers, reloads } = setUp();
    for (let seq = 1; seq <= 4; seq++) feed.make(set(seq, seq));
    feed.hold();
    const started = follower.start({ lastKnown: kept, waitMs: 10 });
    late(timers);
    await started;
    expect(served()).toEqual({ 7: 'us' });
    expect(follower.state).toMatchObject({ phase: 'restored', epoch: 'e1', seq: 3, entries: 1 });
    feed.letGo();
    await settled();
    expect(served()).toEqual({ 1: 'us', 2: 'us', 3: 'us', 4: 'us' });
    expect(follower.state).toMatchObject({ phase: 'following', seq: 4 });
    expect(reloads).toEqual([]);
  });

  test('registers nobody without an allowlist until the feed delivers one', async () => {
    const { feed, follower, served, timers } = setUp();
    feed.make(set(1, 1));
    feed.hold();
    const started = follower.start({ lastKnown: null, waitMs: 10 });
    late(timers);
    await started;
    expect([served(), follower.state.phase, follower.snapshot()]).toEqual([{}, 'loading', null]);
    feed.letGo();
    await settled();
    expect(served()).toEqual({ 1: 'us' });
  });

  test('ignores an allowlist older than the one from disk', async () => {
    const { feed, follower, served, timers, errors } = setUp();
    feed.make(set(1, 1));
    feed.hold();
    const started = follower.start({ lastKnown: kept, waitMs: 10 });
    late(timers);
    await started;
    feed.letGo();
    await settled();
    expect(errors[0]).toBeInstanceOf(SnapshotOutdatedError);
    expect(served()).toEqual({ 7: 'us' });
  });
});

describe('a snapshot with changes', () => {
  test('is never visible without them', async () => {
    const { feed, follower, served, table } = setUp();
    feed.make(set(1, 1));
    feed.make(set(2, 2));
    const whole = feed.snapshot.bind(feed);
    const shownSizes: number[] = [];
    table.onReplaced(() => shownSizes.push(table.size));
    feed.snapshot = async () => ({
      ...(await whole()),
      changes: [remove(3, 1), set(4, 3, GB), set(5, 2, GB)],
    });
    await follower.start();
    expect(served()).toEqual({ 2: 'gb', 3: 'gb' });
    expect(shownSizes).toEqual([2]);
    expect(follower.state).toMatchObject({ seq: 5, entries: 2 });
    const same = snapshotOf(
      new Map([
        [2, GB],
        [3, GB],
      ]),
      5,
      'e1',
    );
    expect(follower.state.digest).toBe(digestSnapshot(same));
    expect(digestSnapshot(follower.snapshot()!)).toBe(digestSnapshot(same));
  });
});
