import type { Redis } from 'ioredis';
import {
  type Change,
  digestSnapshot,
  encodeSnapshot,
  type Profile,
  type Snapshot,
} from '../../../src/feed/index.ts';
import { parsePrefix } from '../../../src/net/index.ts';
import { encodeLogEntry, Key, LogField, logId, MetaField } from '../../../src/registry/store/redis/keys.ts';
import type { RedisServer } from '../../support/redis-server.ts';

export const US: Profile = { region: 'us', services: {}, ipv4: true, ipv6: false };
export const GB: Profile = { ...US, region: 'gb' };

/** Writes a control's data for edges to a real Redis, without accounts and checks. */
export class FakeControl {
  readonly redis: Redis;
  readonly entries = new Map<number, Profile>();
  epoch = 'e1';
  seq = 0;
  trimmed = 0;
  snapshotSeq = -1;
  predecessors: string[] = [];
  leastFormat = 1;

  readonly base: string;

  /** @param base the first three bytes of all addresses */
  constructor(server: RedisServer, base = '192.0.2') {
    this.redis = server.client();
    this.base = base;
  }

  /** The present allowlist: BASE.N for each entry. */
  get list(): Snapshot {
    const profiles = [...new Set(this.entries.values())];
    const keys = Uint8Array.from([...this.entries.keys()].flatMap((last) => [...this.prefixOf(last).bytes]));
    const indexes = Uint16Array.from([...this.entries.values()].map((profile) => profiles.indexOf(profile)));
    const group = { family: 4, length: 32, count: this.entries.size, keys, profiles: indexes } as const;
    return { version: 1, epoch: this.epoch, seq: this.seq, profiles, groups: [group] };
  }

  async set(last: number, profile = US): Promise<void> {
    this.entries.set(last, profile);
    await this.append({ seq: ++this.seq, kind: 'set', prefix: this.prefixOf(last), profile });
  }

  async remove(last: number): Promise<void> {
    this.entries.delete(last);
    await this.append({ seq: ++this.seq, kind: 'remove', prefix: this.prefixOf(last) });
  }

  /** Writes the heartbeat and all of meta. */
  async beat(fields: Record<string, string | number> = {}): Promise<void> {
    const [digestA, digestB] = digestSnapshot(this.list).split('.');
    await this.redis.hset(Key.META, {
      [MetaField.FORMAT]: this.leastFormat,
      [MetaField.LEAST_FORMAT]: this.leastFormat,
      [MetaField.EPOCH]: this.epoch,
      [MetaField.SEQ]: this.seq,
      [MetaField.TRIMMED]: this.trimmed,
      [MetaField.DIGEST_A]: digestA,
      [MetaField.DIGEST_B]: digestB,
      [MetaField.HEARTBEAT]: Date.now(),
      [MetaField.SNAPSHOT_SEQ]: this.snapshotSeq,
      [MetaField.PREDECESSORS]: this.predecessors.join(','),
      ...fields,
    });
  }

  async pack(): Promise<void> {
    await this.redis.set(Key.SNAPSHOT, Buffer.from(encodeSnapshot(this.list)));
    this.snapshotSeq = this.seq;
    await this.beat();
  }

  async trim(): Promise<void> {
    await this.redis.xtrim(Key.LOG, 'MINID', logId(this.snapshotSeq + 1));
    this.trimmed = this.snapshotSeq;
    await this.beat();
  }

  /** Adopts the present data in a new epoch, as `registry adopt` does. */
  async adopt(epoch: string): Promise<void> {
    this.predecessors.unshift(this.epoch);
    this.epoch = epoch;
    await this.redis.del(Key.LOG);
    this.trimmed = this.seq;
    await this.pack();
    await this.trim();
  }

  private async append(change: Change): Promise<void> {
    const [digestA, digestB] = digestSnapshot(this.list).split('.');
    await this.redis
      .multi()
      .xadd(Key.LOG, logId(change.seq), LogField.CHANGE, encodeLogEntry(change), LogField.TIME, Date.now())
      .hset(Key.META, { seq: change.seq, digestA, digestB })
      .exec();
  }

  private prefixOf(last: number) {
    return parsePrefix(`${this.base}.${last}/32`)!;
  }
}
