import { type Change, type Profile, profileOfText, profileText } from '../../../feed/index.ts';
import type { StoreHead } from '../position.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';

/*
 * The key space: the one description of what Redis holds. All keys begin with `{mediastreamer}:1:`: one hash tag keeps
 * them on one node of a cluster, and the version of this layout lets another one stand beside it. Users' text is only
 * ever a value or part of a key given as an argument, never part of a script.
 *
 * "prefix" is a binary key: family (1 byte), length in bits (1), address (4 for IPv4, 8 for IPv6 up to /64, else 16);
 * "profile" is the text of feed/profile-text.ts. Times are milliseconds since 1970, those of accounts, registrations, tokens
 * and names rounded to the day; numbers are decimal; "packed" is MessagePack as Redis' cmsgpack writes it.
 *
 * Read by edges and relays, whose ACL permits these four only:
 *
 *   meta          hash    see MetaField; for controls also `importing` during an import
 *   log           stream  the changes; the ID of change n is `n-0`, which reveals gaps. Fields: `c` the change
 *                         (encodeLogEntry), `t` Redis' time of the change
 *   snapshot      string  feed/codec.ts; the allowlist at some seq. The log reaches back to it: it is trimmed up to the
 *                         snapshot's seq at most
 *   snapshot:previous  string  the one before, for slow links that have begun to read it
 *
 * Read and written by controls:
 *
 *   entries       hash    prefix -> profile's number (4 bytes, network order), then packed: 0, then account
 *                         id and renewal of each holder in turn
 *   profiles      hash    number -> profile
 *   profile-numbers  hash profile -> number
 *   profile-uses  hash    number -> entries with it; a profile without entries is in none of the three
 *   account:<id>  hash    region, services (JSON of both, the services as sorted pairs), perAccount, suspended (0, 1),
 *                         createdAt, secret (SHA-256), ipv4, ipv6, tokens, hostnames (counts), activeAt (day of the
 *                         last registration), keep (0, 1: never erased for lack of use);
 *                         `r:<prefix>` a registration: packed id, number, renewal, createdAt, expiresAt, source, label
 *                         or false, rank of evidence; `i:<id of a registration>`: prefix;
 *                         `t:<id>` an update token: packed number, hash, label, createdAt;
 *                         `h:<id>` a host name: packed number, name, state, createdAt, checkedAt or false, next look-up,
 *                         prefixes that it may not register before it moves;
 *                         `p:<id>` a private name: packed number, hash, label, createdAt, home only (0, 1), and for each
 *                         family the id of the registration that it made last, or false
 *   accounts      zset    account ids, all with score 0: paged by bytes
 *   secrets       hash    SHA-256 of a secret -> account id
 *   tokens        hash    SHA-256 of an update token -> account id
 *   private-names hash    HMAC-SHA256 of a private name -> packed account id and the name's id
 *   leases        zset    prefix and account id, by the end of the lease (leaseEnd in days.ts)
 *   activity      zset    ids of accounts that may lapse, by activeAt
 *   lapses        zset    ids of accounts that lapse soon, by the day of their erasure
 *   passes        hash    credentials: kind (session, link, ticket), `:`, SHA-256 -> packed account id, createdAt,
 *                         expiresAt
 *   passes:<kind>:<id>  zset  an account's credentials of a kind, as in `passes`, by their end
 *   pass-leases   zset    all credentials, likewise
 *   due           zset    packed account id and host name id, by the next look-up
 *   marks         hash    idempotency key -> packed account id, fingerprint, expiresAt, outcome, and for a registration
 *                         its id, createdAt, expiresAt
 *   marks:<id>    zset    an account's idempotency keys, by their end
 *   mark-leases   zset    all idempotency keys, likewise
 *   counters      hash    `number` (registrations, tokens and names made), `renewal` (renewals made), `profile`
 *                         (profiles numbered), `erasures` (steps that erased something), `erased` (how many of these
 *                         have left log, snapshot and append-only file)
 *   chores        string  the leader's random token, with PX: it ends unless renewed
 *   services:<day>  hash   states of services on a day (days since 1970, with PEXPIRE): service, a space and region ->
 *                         hours, see service-history.ts
 *   report:<id>   string  a host's report on itself as JSON, with PX; its Redis user may write this key only
 *
 * Clocks: leases, marks and everything that a step decides use the caller's time, an argument, as SQLite's steps do.
 * Only `heartbeat`, `t` and the leader's PX use Redis' own.
 */
const ROOT = '{mediastreamer}:1:';

/** 1.1: registrations have evidence, and an address has the profile of one holder. Reads 1.0 too, which stops at 1.1. */
export const KEY_SPACE_FORMAT = 1.1;

export const Key = {
  ROOT,
  META: `${ROOT}meta`,
  LOG: `${ROOT}log`,
  SNAPSHOT: `${ROOT}snapshot`,
  PREVIOUS_SNAPSHOT: `${ROOT}snapshot:previous`,
  ENTRIES: `${ROOT}entries`,
  PROFILES: `${ROOT}profiles`,
  ACCOUNTS: `${ROOT}accounts`,
  COUNTERS: `${ROOT}counters`,
  LEADER: `${ROOT}chores`,
} as const;

/** Key of a host's report. @param id name of its Redis user */
export function reportKey(id: string): string {
  return `${ROOT}report:${id}`;
}

/** The fields of meta. lua/keyspace.lua has them in the same order. */
export const MetaField = {
  /** Version of the key names, as in every key. */
  FORMAT: 'format',
  /** The lowest format whose readers understand the data; readers of a lower one stop. */
  LEAST_FORMAT: 'leastFormat',
  /** Names this life of the data; `registry adopt` begins another. */
  EPOCH: 'epoch',
  /** The last change. */
  SEQ: 'seq',
  /** The last change that was trimmed from the log. */
  TRIMMED: 'trimmed',
  /** The two sums of feed/digest.ts over the entries at `seq`, unsigned. */
  DIGEST_A: 'digestA',
  DIGEST_B: 'digestB',
  /** When a control last wrote its heartbeat, by Redis' clock: every second while a control runs. */
  HEARTBEAT: 'heartbeat',
  SNAPSHOT_SEQ: 'snapshotSeq',
  /** A control knew this later change than Redis had: data is lost, and all wait for `registry adopt`. */
  LOST_SEQ: 'lostSeq',
  /** Epochs that `registry adopt` ended, the latest first, separated by commas: their followers go over to this one. */
  PREDECESSORS: 'predecessors',
  /** The epoch, if it began by `registry adopt`. */
  ADOPTED: 'adopted',
  /**
   * The last change that redis.waitReplicas replicas are known to have; absent without it. Later changes may be missing
   * after a failover.
   */
  CONFIRMED: 'confirmed',
  /** Absent: there is no previous snapshot. */
  PREVIOUS_SNAPSHOT_SEQ: 'previousSnapshotSeq',
} as const;

/** All fields of meta, in the order of `parseMeta`. */
export const META_FIELDS: readonly string[] = Object.values(MetaField);

export interface Meta extends StoreHead {
  readonly format: number;
  readonly trimmed: number;
  /** As digestText of feed/ writes it. */
  readonly digest: string;
  readonly heartbeatMs: number;
  /** -1: no snapshot. */
  readonly snapshotSeq: number;
  readonly previousSnapshotSeq: number;
  /** null: controls do not wait for replicas. */
  readonly confirmedSeq: number | null;
}

/** Parses the reply of HMGET meta META_FIELDS; null for an empty Redis. */
export function parseMeta(values: readonly (string | Buffer | null)[]): Meta | null {
  const [
    format,
    leastFormat,
    epoch,
    seq,
    trimmed,
    digestA,
    digestB,
    heartbeat,
    snapshotSeq,
    lostSeq,
    predecessors,
    adopted,
    confirmed,
    previousSnapshotSeq,
  ] = values.map((value) => (value === null ? null : value.toString()));
  if (format === null || epoch === null || seq === null) return null;
  return {
    format: Number(format),
    leastFormat: Number(leastFormat ?? format),
    epoch,
    seq: Number(seq),
    trimmed: Number(trimmed ?? 0),
    digest: `${digestA ?? 0}.${digestB ?? 0}`,
    heartbeatMs: Number(heartbeat ?? 0),
    snapshotSeq: Number(snapshotSeq ?? -1),
    previousSnapshotSeq: Number(previousSnapshotSeq ?? -1),
    lostSeq: lostSeq === null ? null : Number(lostSeq),
    predecessors: predecessors ? predecessors.split(',') : [],
    adopted: adopted ?? null,
    confirmedSeq: confirmed ? Number(confirmed) : null,
  };
}

/** Fields of an entry of the log. */
export const LogField = { CHANGE: 'c', TIME: 't' } as const;

export function logId(seq: number): string {
  return `${seq}-0`;
}

/** Parses a log ID; NaN if it is not ours. */
export function seqOfLogId(id: string): number {
  return id.endsWith('-0') ? Number(id.slice(0, -2)) : Number.NaN;
}

/** Encodes a change: the prefix, then the profile's text in UTF-8; the prefix alone removes the entry. */
export function encodeLogEntry(change: Change): Buffer {
  const key = prefixKey(change.prefix);
  return change.kind === 'remove'
    ? Buffer.from(key)
    : Buffer.concat([key, Buffer.from(profileText(change.profile))]);
}

/**
 * Decodes a change of the log.
 *
 * @param profileOf parses a profile's text; throws for other text
 * @throws RangeError for other bytes
 */
export function decodeLogEntry(
  seq: number,
  bytes: Uint8Array,
  profileOf: (text: string) => Profile = profileOfText,
): Change {
  const family = bytes[0];
  const length = bytes[1];
  const width = 2 + (family === 4 ? 4 : length <= 64 ? 8 : 16);
  const isKnown = (family === 4 && length <= 32) || (family === 6 && length <= 128);
  if (!isKnown || bytes.length < width) throw new RangeError('an entry of the log holds no change');
  const prefix = prefixOfKey(bytes.subarray(0, width));
  if (bytes.length === width) return { seq, kind: 'remove', prefix };
  let profile: Profile;
  try {
    profile = profileOf(Buffer.from(bytes.subarray(width)).toString('utf8'));
  } catch {
    throw new RangeError('an entry of the log holds no profile');
  }
  return { seq, kind: 'set', prefix, profile };
}
