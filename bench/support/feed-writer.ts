/**
 * The writer of bench/feed.ts, a process of its own: changes to a list at a steady rate, with their numbers and their
 * digest, as a control's script writes them.
 *
 * Arguments: Redis' URL, addresses of the list, changes a second, seconds. Prints the last number.
 */
import { Redis } from 'ioredis';
import { hashProfile, ListDigest, type Prefix } from '../../src/feed/index.ts';
import { encodeLogEntry, Key, LogField, logId } from '../../src/registry/store/redis/keys.ts';
import { makeList, profileOf } from './feed-source.ts';

const [url, addresses, rate, seconds] = process.argv.slice(2) as [string, string, string, string];
const TURN_MS = 10;
/** The log's length: seconds of changes that a slow edge may be behind. */
const KEEP = 200_000;

const redis = new Redis(url, { protocol: 2 });
const list = makeList(Number(addresses));
const digest = new ListDigest();
const profiles = list.profiles.map((profile) => ({ profile, hash: hashProfile(profile) }));
const { count, keys, profiles: chosen } = list.groups[0]!;
for (let index = 0; index < count; index++)
  digest.add(4, 32, keys, 4 * index, profiles[chosen[index]!]!.hash);

let seq = list.seq;
const startedAt = performance.now();
const total = Number(rate) * Number(seconds);
for (let done = 0; done < total; ) {
  const due = Math.min(total, Math.ceil(((performance.now() - startedAt) / 1000) * Number(rate)));
  const pipeline = redis.pipeline();
  const now = Date.now();
  for (; done < due; done++) {
    seq += 1;
    // A home takes another profile; spread over the list.
    const index = (done * 7919) % (count - 1);
    const old = chosen[index]!;
    const next = (old + 1) % profiles.length;
    const bytes = Buffer.from(keys.subarray(4 * index, 4 * index + 4));
    const prefix: Prefix = { family: 4, length: 32, bytes };
    digest.subtractPrefix(prefix, profiles[old]!.hash);
    digest.addPrefix(prefix, profiles[next]!.hash);
    chosen[index] = next;
    const entry = encodeLogEntry({ seq, kind: 'set', prefix, profile: profileOf(next) });
    pipeline.xadd(Key.LOG, logId(seq), LogField.CHANGE, entry, LogField.TIME, now);
  }
  const [digestA, digestB] = digest.toString().split('.');
  const fields = { seq, digestA: digestA!, digestB: digestB!, heartbeat: now };
  pipeline.hset(Key.META, fields);
  pipeline.xtrim(Key.LOG, 'MAXLEN', '~', KEEP);
  await pipeline.exec();
  await new Promise((resolve) => setTimeout(resolve, TURN_MS));
}
redis.disconnect();
process.stdout.write(`${seq}\n`);
