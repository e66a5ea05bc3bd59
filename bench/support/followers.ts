/** Ten followers of one Redis: how late changes reach them, and how many commands they send. */
import { Redis } from 'ioredis';
import { openRedisFeed, type RedisFeed } from '../../src/registry/store/redis/follow/index.ts';
import { encodeLogEntry, Key, LogField, logId } from '../../src/registry/store/redis/keys.ts';
import { profileOf } from './feed-source.ts';

export interface Spread {
  readonly changes: number;
  /** From sending the change to its delivery to a follower, of all followers. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of each follower. */
  readonly commandsPerSecond: number;
}

/**
 * Writes changes one by one to a list that `putList` has put, and takes the time until each follower has each.
 *
 * @param gapsMs time before each change
 */
export async function measureFollowers(
  url: string,
  followers: number,
  firstSeq: number,
  gapsMs: readonly number[],
): Promise<Spread> {
  const redis = new Redis(url, { protocol: 2 });
  const lastSeq = firstSeq + gapsMs.length - 1;
  const sentAt = new Float64Array(gapsMs.length);
  const delays: number[] = [];
  const opened: RedisFeed[] = [];
  const caughtUp: Promise<void>[] = [];
  for (let index = 0; index < followers; index++) {
    const feed = openRedisFeed({ url, now: () => performance.now(), random: Math.random });
    opened.push(feed);
    const done = Promise.withResolvers<void>();
    caughtUp.push(done.promise);
    feed.subscribe((changes) => {
      const nowMs = performance.now();
      for (const { seq } of changes) if (seq >= firstSeq) delays.push(nowMs - sentAt[seq - firstSeq]!);
      if (changes.at(-1)!.seq === lastSeq) done.resolve();
    });
    await feed.snapshot();
  }
  const before = await readCommands(redis);
  const startedAt = performance.now();
  const pending: Promise<unknown>[] = [];
  let dueMs = startedAt;
  for (const [index, gapMs] of gapsMs.entries()) {
    dueMs += gapMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0.5) await new Promise((resolve) => setTimeout(resolve, waitMs));
    pending.push(writeChange(redis, firstSeq + index));
    sentAt[index] = performance.now();
  }
  await Promise.all(pending);
  await Promise.all(caughtUp);
  const seconds = (performance.now() - startedAt) / 1_000;
  const commands = (await readCommands(redis)) - before;
  for (const feed of opened) await feed.close();
  redis.disconnect();
  delays.sort((a, b) => a - b);
  const at = (part: number): number => delays[Math.floor(part * (delays.length - 1))]!;
  const commandsPerSecond = commands / seconds / followers;
  return { changes: gapsMs.length, p50Ms: at(0.5), p99Ms: at(0.99), commandsPerSecond };
}

function writeChange(redis: Redis, seq: number): Promise<unknown> {
  const bytes = Buffer.from([21, 0, (seq >> 8) & 255, seq & 255]);
  const prefix = { family: 4, length: 32, bytes } as const;
  const entry = encodeLogEntry({ seq, kind: 'set', prefix, profile: profileOf(0) });
  // As a step of a control: both at once.
  return redis
    .multi()
    .xadd(Key.LOG, logId(seq), LogField.CHANGE, entry, LogField.TIME, Date.now())
    .hset(Key.META, { seq })
    .exec();
}

/** Commands of followers so far: XREAD, and the HMGET that goes with each. */
async function readCommands(redis: Redis): Promise<number> {
  const text = await redis.info('commandstats');
  const calls = (name: string): number =>
    Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return calls('xread') + calls('hmget');
}
