import { Rcode, RecordClass, RecordType, readU32 } from '../../wire/index.ts';
import {
  isWithin,
  type NameKey,
  nameKeyAt,
  parentOf,
  type ReplyRecord,
  type ReplyRecords,
} from './reply-records.ts';

/** Longer CNAME chains are an error; Unbound and BIND follow 11. */
export const MAX_CHAIN = 16;
/** SERIAL to MINIMUM, and two root names. */
export const MIN_SOA_BYTES = 22;
/** Longest time to keep a negative answer (RFC 2308 5: one to three hours work well). */
export const MAX_NEGATIVE_TTL_SECONDS = 10_800;

/** An RRset as it goes into replies, followed by its RRSIGs. */
export interface RecordSet {
  readonly records: readonly ReplyRecord[];
  /** The least TTL of its records (RFC 2181 5.2). */
  readonly ttlSeconds: number;
}

/** Records of a reply that answer its question. All others are dropped. */
export interface Selection {
  readonly answers: readonly RecordSet[];
  readonly authorities: readonly RecordSet[];
  /** True if it has the answer, or the SOA that says how long there is none (RFC 2308 5). */
  readonly conclusive: boolean;
}

export interface SelectionRequest {
  readonly name: NameKey;
  readonly type: number;
  readonly qclass: number;
  readonly dnssecOk: boolean;
}

interface Chain {
  sets: RecordSet[];
  /** End of the chain: the question's name, or the last CNAME's target. */
  target: NameKey;
  found: boolean;
}

/**
 * Picks out of a NOERROR or NXDOMAIN reply: the chain of CNAMEs from the question's name in order, each
 * synthesised one behind its DNAME (RFC 6672 3.1), the RRset asked for at its end; in a negative one the
 * SOA of a zone that holds the chain's end; with DO also RRSIGs, and the NSEC and NSEC3 with their RRSIGs,
 * by which a validator checks what is not there and what a wildcard made (RFC 4035 3.1.3).
 * @returns null where the chain is malformed, goes round or is longer than 16.
 */
export function selectRecords(
  request: SelectionRequest,
  reply: ReplyRecords,
  m: Uint8Array,
  length: number,
): Selection | null {
  if (isPlain(request, reply)) {
    return { answers: [recordSet(reply.answers)], authorities: [], conclusive: true };
  }
  const ofClass = (record: ReplyRecord): boolean =>
    record.rclass === request.qclass || request.qclass === RecordClass.ANY;
  const byOwner = groupByOwner(reply.answers.filter(ofClass));
  const chain = followChain(request, byOwner, reply.rcode, m, length);
  if (chain === null) return null;
  const authorities: RecordSet[] = [];
  const inAuthority = reply.authorities.filter(ofClass);
  let conclusive = chain.found;
  if (!chain.found) {
    const soa = selectSoa(inAuthority, chain.target, request.dnssecOk, m);
    if (soa === null) return null;
    if (soa !== undefined) authorities.push(soa);
    conclusive = soa !== undefined;
  }
  if (request.dnssecOk) authorities.push(...selectDenials(inAuthority));
  return { answers: chain.sets, authorities, conclusive };
}

/** True if the answer section is just the RRset that was asked for, as usual: nothing to sort out. */
function isPlain(
  { name, type, qclass, dnssecOk }: SelectionRequest,
  { answers, rcode }: ReplyRecords,
): boolean {
  if (dnssecOk || rcode !== Rcode.NOERROR || answers.length === 0) return false;
  if (type === RecordType.ANY || type === RecordType.RRSIG) return false;
  for (const record of answers) {
    if (record.type !== type || record.rclass !== qclass || record.owner !== name) return false;
  }
  return true;
}

function groupByOwner(records: readonly ReplyRecord[]): Map<NameKey, ReplyRecord[]> {
  const groups = new Map<NameKey, ReplyRecord[]>();
  for (const record of records) {
    const group = groups.get(record.owner);
    if (group === undefined) groups.set(record.owner, [record]);
    else group.push(record);
  }
  return groups;
}

function followChain(
  request: SelectionRequest,
  byOwner: Map<NameKey, ReplyRecord[]>,
  rcode: number,
  m: Uint8Array,
  length: number,
): Chain | null {
  const chain: Chain = { sets: [], target: request.name, found: false };
  const seen = new Set<NameKey>();
  for (let links = 0; links <= MAX_CHAIN; links++) {
    if (seen.has(chain.target)) return null;
    seen.add(chain.target);
    const records = byOwner.get(chain.target) ?? [];
    const final = rcode === Rcode.NXDOMAIN ? [] : finalSets(records, request);
    if (final.length > 0) {
      chain.sets.push(...final);
      chain.found = true;
      return chain;
    }
    const alias = records.find((record) => record.type === RecordType.CNAME);
    if (alias === undefined) return chain;
    const dname = dnameAbove(chain.target, byOwner);
    if (dname.length > 0 && !chain.sets.some((set) => set.records[0] === dname[0])) {
      chain.sets.push(withSignatures(dname, byOwner.get(dname[0].owner) ?? [], request.dnssecOk));
    }
    // A name has one CNAME (RFC 2181 10.1); of several the first counts.
    chain.sets.push(withSignatures([alias], records, request.dnssecOk));
    const target = nameKeyAt(m, length, alias.rdataOffset, alias.rdataOffset + alias.rdataLength);
    if (target === null) return null;
    chain.target = target;
  }
  return null;
}

/** The RRsets of one name that the question asks for. */
function finalSets(records: readonly ReplyRecord[], request: SelectionRequest): RecordSet[] {
  if (request.type !== RecordType.ANY && request.type !== RecordType.RRSIG) {
    const asked = records.filter((record) => record.type === request.type);
    return asked.length === 0 ? [] : [withSignatures(asked, records, request.dnssecOk)];
  }
  if (request.type === RecordType.ANY && request.dnssecOk) return oneSignedSet(records);
  const sets = new Map<number, ReplyRecord[]>();
  for (const record of records) {
    if (request.type === RecordType.RRSIG && record.type !== RecordType.RRSIG) continue;
    const kind = record.type * 0x10000 + record.covers;
    const set = sets.get(kind);
    if (set === undefined) sets.set(kind, [record]);
    else set.push(record);
  }
  return [...sets.values()].map((set) => recordSet(set));
}

/**
 * Selects one RRset with its signatures for ANY: enough for a validating resolver, and as small as possible (RFC 8482 4.1). The smallest, signed before unsigned.
 */
function oneSignedSet(records: readonly ReplyRecord[]): RecordSet[] {
  let chosen: RecordSet | null = null;
  let chosenBytes = Number.POSITIVE_INFINITY;
  for (const { type } of records) {
    if (type === RecordType.RRSIG || type === RecordType.NSEC || type === RecordType.NSEC3) continue;
    const set = withSignatures(
      records.filter((record) => record.type === type),
      records,
      true,
    );
    const isSigned = set.records.some((record) => record.covers === type);
    const bytes = set.records.reduce((sum, { rdataLength }) => sum + rdataLength, isSigned ? 0 : 0x10000);
    if (bytes >= chosenBytes) continue;
    chosen = set;
    chosenBytes = bytes;
  }
  return chosen === null ? [] : [chosen];
}

/** The DNAME at the closest name above this one. */
function dnameAbove(key: NameKey, byOwner: Map<NameKey, ReplyRecord[]>): ReplyRecord[] {
  let above = key;
  while (above.length > 1) {
    above = parentOf(above);
    const dname = byOwner.get(above)?.find((record) => record.type === RecordType.DNAME);
    if (dname !== undefined) return [dname];
  }
  return [];
}

/**
 * Selects the SOA of a negative answer, with the least of its TTL, its MINIMUM (RFC 2308 3, 5) and three
 * hours.
 * @returns undefined if no zone that holds `target` has one; null if it is malformed
 */
function selectSoa(
  records: readonly ReplyRecord[],
  target: NameKey,
  dnssecOk: boolean,
  m: Uint8Array,
): RecordSet | null | undefined {
  const soa = records.find((record) => record.type === RecordType.SOA && isWithin(target, record.owner));
  if (soa === undefined) return undefined;
  const end = soa.rdataOffset + soa.rdataLength;
  if (soa.rdataLength < MIN_SOA_BYTES) return null;
  const minimumSeconds = readU32(m, end - 4);
  const set = withSignatures(
    [soa],
    records.filter((record) => record.owner === soa.owner),
    dnssecOk,
  );
  const capSeconds = minimumSeconds > 0x7fffffff ? 0 : Math.min(minimumSeconds, MAX_NEGATIVE_TTL_SECONDS);
  return { records: set.records, ttlSeconds: Math.min(set.ttlSeconds, capSeconds) };
}

/** The signed NSEC and NSEC3 RRsets of the authority section. */
function selectDenials(records: readonly ReplyRecord[]): RecordSet[] {
  const sets: RecordSet[] = [];
  for (const [, ofName] of groupByOwner(records)) {
    for (const type of [RecordType.NSEC, RecordType.NSEC3]) {
      const denial = ofName.filter((record) => record.type === type);
      if (denial.length === 0 || !ofName.some((record) => record.covers === type)) continue;
      sets.push(withSignatures(denial, ofName, true));
    }
  }
  return sets;
}

function withSignatures(
  set: readonly ReplyRecord[],
  ofName: readonly ReplyRecord[],
  dnssecOk: boolean,
): RecordSet {
  if (!dnssecOk) return recordSet(set);
  return recordSet([...set, ...ofName.filter((record) => record.covers === set[0].type)]);
}

function recordSet(records: readonly ReplyRecord[]): RecordSet {
  let ttlSeconds = 0x7fffffff;
  for (const record of records) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
  return { records, ttlSeconds };
}
