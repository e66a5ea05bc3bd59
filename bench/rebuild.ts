/**
 * Rebuilding the allowlist of millions of addresses from the entries in Redis: time and memory of a snapshot without a
 * former one, and of `registry verify`. Run by hand: Redis needs about 150 bytes an address.
 *
 * The entries are those of accounts with one IPv4 address each, without the accounts. Redis shares the machine's processors
 * with this process, and does not sync to disk.
 */
import { Redis } from 'ioredis';
import { hashProfile, ListDigest, profileText } from '../src/feed/index.ts';
import { verifyRedis } from '../src/registry/operator/index.ts';
import { Key, MetaField } from '../src/registry/store/redis/keys.ts';
import { openRedisStore } from '../src/registry/store/redis/open.ts';
import { EPOCH, FIRST_ADDRESS, profileOf, startRedis } from './support/feed-source.ts';
import { benchOptions } from './support/options.ts';
import { table } from './support/pairs.ts';
import { RESULTS_DIRECTORY, writeResult } from './support/results.ts';

const PAGE = 20_000;
const PROFILES = 64;
const MIB = 2 ** 20;

const values = benchOptions(import.meta.url, {
  addresses: ['5000000', 'registered addresses'],
  out: [RESULTS_DIRECTORY, 'directory of the raw results'],
});
const addresses = Number(values.addresses);

/** Writes entries and metadata as a control does. */
async function fill(url: string): Promise<void> {
  const redis = new Redis(url, { protocol: 2 });
  const profiles = Array.from({ length: PROFILES }, (_, index) => profileOf(index));
  const hashes = profiles.map(hashProfile);
  const digest = new ListDigest();
  for (let from = 0; from < addresses; from += PAGE) {
    const fields: Buffer[] = [];
    for (let index = from; index < Math.min(from + PAGE, addresses); index++) {
      const key = Buffer.from([4, 32, 0, 0, 0, 0]);
      key.writeUInt32BE(FIRST_ADDRESS + index, 2);
      digest.add(4, 32, key.subarray(2), 0, hashes[index % PROFILES]!);
      // The profile's number, then packed: 0, an account's id of 16 characters, a renewal.
      const value = Buffer.alloc(27);
      value.writeUInt32BE(index % PROFILES);
      value.set([0x93, 0x00, 0xb0], 4);
      value.write(`account${String(index).padStart(9, '0')}`, 7);
      value.set([0xce, 0, 0, 1], 23);
      fields.push(key, value);
    }
    await redis.hset(Key.ENTRIES, ...fields);
  }
  const [digestA, digestB] = digest.toString().split('.');
  for (const [number, profile] of profiles.entries()) {
    await redis.hset(Key.PROFILES, String(number), profileText(profile));
  }
  await redis.hset(Key.META, {
    [MetaField.FORMAT]: 1,
    [MetaField.LEAST_FORMAT]: 1,
    [MetaField.EPOCH]: EPOCH,
    [MetaField.SEQ]: 1,
    [MetaField.TRIMMED]: 1,
    // There is none, so that one is rebuilt; the leader makes none by itself.
    [MetaField.SNAPSHOT_SEQ]: 1,
    [MetaField.DIGEST_A]: digestA!,
    [MetaField.DIGEST_B]: digestB!,
  });
  redis.disconnect();
}

interface Cost {
  readonly seconds: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
}

/** Runs a task; returns its time and the largest memory seen ten times a second. */
async function measure(task: () => Promise<unknown>): Promise<Cost> {
  let rss = 0;
  let heap = 0;
  const look = (): void => {
    const used = process.memoryUsage();
    rss = Math.max(rss, used.rss);
    heap = Math.max(heap, used.heapUsed);
  };
  const timer = setInterval(look, 100);
  const startedAt = performance.now();
  await task();
  const seconds = (performance.now() - startedAt) / 1_000;
  look();
  clearInterval(timer);
  return { seconds, rssMiB: rss / MIB, heapMiB: heap / MIB };
}

const redis = await startRedis(0, { durable: false });
try {
  await fill(redis.url);
  const store = await openRedisStore({
    url: redis.url,
    positionFile: { known: null, keep() {} },
    events: { state() {}, warning() {} },
    makeId: () => 'bench',
  });
  const rebuilt = await measure(async () => {
    const { groups } = await store.snapshots.take();
    if (groups[0]!.count !== addresses) throw new Error(`the snapshot has ${groups[0]!.count} addresses`);
  });
  await store.close();
  const verified = await measure(async () => {
    const report = await verifyRedis(redis.url);
    if (report?.entries.agrees !== true) throw new Error('the entries do not agree with their digest');
  });
  const row = (name: string, { seconds, rssMiB, heapMiB }: Cost): string[] => [
    name,
    `${seconds.toFixed(1)} s`,
    `${rssMiB.toFixed(0)} MiB`,
    `${heapMiB.toFixed(0)} MiB`,
  ];
  table([
    [`${addresses} addresses`, 'time', 'largest RSS', 'largest heap'],
    row('snapshot from the entries', rebuilt),
    row('registry verify', verified),
  ]);
  const series = [
    { group: 'seconds', label: 'snapshot', unit: 's', values: [rebuilt.seconds] },
    { group: 'seconds', label: 'verify', unit: 's', values: [verified.seconds] },
    { group: 'memory', label: 'snapshot', unit: 'MiB', values: [rebuilt.rssMiB] },
    { group: 'memory', label: 'verify', unit: 'MiB', values: [verified.rssMiB] },
  ];
  writeResult(values.out, { bench: 'rebuild', options: { addresses }, series });
} finally {
  await redis.stop();
}
