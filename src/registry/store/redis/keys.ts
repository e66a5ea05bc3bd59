import { type Change, type Profile, profileOfText, profileText } from '../../../feed/index.ts';
import { prefixKey, prefixOfKey } from '../prefix-key.ts';

/*
 * The key space: the one description of what Redis holds. All keys begin with `{mediastreamer}:1:`: one hash tag, so
 * that all are on one node of a cluster, and the version of this layout, so that another one can stand beside it.
 * What a user wrote is only ever a value or a part of a key given as an argument, never text of a script.
 *
 * "prefix" is a binary key: family (1 byte), length in bits (1), address (4 for IPv4, 8 for IPv6 up to /64, else 16);
 * "profile" the text of feed/profile-text.ts. Times are milliseconds since 1970, numbers decimal unless said
 * otherwise; "packed" is MessagePack as cmsgpack of Redis writes it.
 *
 * Read by edges (the ACL of an edge needs these three and no other):
 *
 *   meta          hash    see MetaField; besides, for controls, `importing` while an import goes on
 *   log           stream  the changes; the ID of change n is `n-0`, so that a gap is seen. Fields: `c` the change
 *                         (encodeLogEntry), `t` Redis' time when it was made
 *   snapshot      string  feed/codec.ts; the list at some seq. The log always reaches back to it: it is trimmed up to
 *                         the snapshot's seq at most
 *
 * Read and written by controls:
 *
 *   entries       hash    prefix -> profile's number (4 bytes, network order), then packed: how many of the accounts
 *                         that hold it have the other family too, then id and renewal of each of them in turn
 *   profiles      hash    number -> profile
 *   profile-numbers  hash profile -> number
 *   profile-uses  hash    number -> how many entries have it; one that none has is not in any of the three
 *   account:<id>  hash    region, services (JSON of both, the services as sorted pairs), perAccount, suspended (0, 1),
 *                         createdAt, secret (SHA-256), ipv4, ipv6, tokens, hostnames (how many there are of each);
 *                         `r:<prefix>` a registration: packed id, number, renewal, createdAt, expiresAt, source, label
 *                         or false; `i:<id of a registration>`: prefix;
 *                         `t:<id>` an update token: packed number, hash, label, createdAt;
 *                         `h:<id>` a host name: packed number, name, state, createdAt, checkedAt or false, next look-up
 *   accounts      zset    ids of accounts, all with score 0: pages by bytes
 *   secrets       hash    SHA-256 of a secret -> id of its account
 *   tokens        hash    SHA-256 of an update token -> id of its account
 *   leases        zset    prefix, then id of the account; by when the lease is over
 *   passes        hash    kind (session, link, ticket), `:`, SHA-256 -> packed account, createdAt, expiresAt
 *   passes:<kind>:<id>  zset  the account's of that kind, as in `passes`, by when they are over
 *   pass-leases   zset    all of them, likewise
 *   due           zset    packed account, id of a host name; by when it is looked up next
 *   marks         hash    idempotency key -> packed account, fingerprint, expiresAt, outcome, and for a registration
 *                         its id, createdAt, expiresAt
 *   marks:<id>    zset    the account's idempotency keys, by when they are forgotten
 *   mark-leases   zset    all of them, likewise
 *   counters      hash    `number` (registrations, tokens and names made), `renewal` (renewals made), `profile`
 *                         (profiles numbered), `erasures` (steps that erased something), `erased` (how many of these
 *                         are gone from log, snapshot and append-only file)
 *   chores        string  who does the chores (a random token), with PX: gone if it is not renewed
 *
 * Which clock: leases, marks and all that a step decides take the caller's time, which is an argument, as SQLite's
 * steps do. Only what concerns Redis itself (`heartbeat`, `t`, the chores' PX) takes its own.
 */
const ROOT = '{mediastreamer}:1:';

export const KEY_SPACE_FORMAT = 1;

export const Key = {
  ROOT,
  META: `${ROOT}meta`,
  LOG: `${ROOT}log`,
  SNAPSHOT: `${ROOT}snapshot`,
  ENTRIES: `${ROOT}entries`,
  PROFILES: `${ROOT}profiles`,
  ACCOUNTS: `${ROOT}accounts`,
  COUNTERS: `${ROOT}counters`,
  CHORES: `${ROOT}chores`,
} as const;

/** The fields of meta. */
export const MetaField = {
  /** Of the release that wrote last. */
  FORMAT: 'format',
  /** The lowest format whose readers understand what is here: a reader of a lower one says so and stops. */
  LEAST_FORMAT: 'leastFormat',
  /** A random id, another one after each loss of data that was adopted. */
  EPOCH: 'epoch',
  /** The last change. */
  SEQ: 'seq',
  /** The last change that is not in the log any more. */
  TRIMMED: 'trimmed',
  /** Of the entries at `seq`: the two sums of feed/digest.ts, unsigned. */
  DIGEST_A: 'digestA',
  DIGEST_B: 'digestB',
  /** When a control last wrote that it is there: every second while one is, by Redis' clock. */
  HEARTBEAT: 'heartbeat',
  SNAPSHOT_SEQ: 'snapshotSeq',
  /** A control knew a later change of this epoch than Redis had: data is lost, and all wait for `registry adopt`. */
  LOST_SEQ: 'lostSeq',
  /**
   * The epochs that `registry adopt` put an end to, the latest first, with commas between: an edge that holds a list
   * of one of them takes this epoch as the operator's word. Another epoch without it is lost data, or a stranger's.
   */
  PREDECESSORS: 'predecessors',
  /** The epoch, if it began by `registry adopt`. */
  ADOPTED: 'adopted',
} as const;

/** The names of all fields of meta, in the order of `parseMeta`. */
export const META_FIELDS: readonly string[] = Object.values(MetaField);

export interface Meta {
  format: number;
  leastFormat: number;
  epoch: string;
  seq: number;
  trimmed: number;
  /** As digestText of feed/ writes it. */
  digest: string;
  heartbeatMs: number;
  /** -1: there is no snapshot. */
  snapshotSeq: number;
  /** Null: nobody has found anything lost. */
  lostSeq: number | null;
  /** Epochs that the operator replaced by this one. */
  predecessors: readonly string[];
  adopted: string | null;
}

/** What HMGET meta META_FIELDS gave; null where there is no meta: an empty Redis. */
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
    lostSeq: lostSeq === null ? null : Number(lostSeq),
    predecessors: predecessors ? predecessors.split(',') : [],
    adopted: adopted ?? null,
  };
}

/** A new epoch: nine letters and digits that say when it began, so that epochs have an order, and a random id. */
export function makeEpoch(nowMs: number, id: string): string {
  return `${nowMs.toString(36).padStart(9, '0')}-${id}`;
}

/** When an epoch of Redis began; 0 for one of another store. */
export function epochTime(epoch: string): number {
  const time = /^([0-9a-z]{9})-[0-9A-Za-z]+$/.exec(epoch)?.[1];
  return time === undefined ? 0 : Number.parseInt(time, 36);
}

/**
 * Whether who knows the epoch `known` goes over to the one that Redis has: the operator has said that its data is the
 * truth, and after `known` began (the adopting command may not have known the epoch that it replaced). Another
 * epoch, and an adopted one that came back from a backup, is lost data.
 */
export function mayFollow(meta: Meta, known: string): boolean {
  if (meta.predecessors.includes(known)) return true;
  return meta.adopted === meta.epoch && epochTime(meta.epoch) > epochTime(known);
}

/** Fields of an entry of the log. */
export const LogField = { CHANGE: 'c', TIME: 't' } as const;

export function logId(seq: number): string {
  return `${seq}-0`;
}

/** The sequence number that a log ID is; NaN if it is none of ours. */
export function seqOfLogId(id: string): number {
  return id.endsWith('-0') ? Number(id.slice(0, -2)) : Number.NaN;
}

/** A change's bytes: the prefix, then the profile's text in UTF-8; nothing after the prefix if the entry goes. */
export function encodeLogEntry(change: Change): Buffer {
  const key = prefixKey(change.prefix);
  return change.kind === 'remove'
    ? Buffer.from(key)
    : Buffer.concat([key, Buffer.from(profileText(change.profile))]);
}

/**
 * The change that bytes of the log say.
 *
 * @param profileOf reads a profile's text, and throws where it is none
 * @throws RangeError if they are none.
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
