import { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_RELAY } from '../catalog/lookup/index.ts';
import { QueryVerdict } from '../metrics/index.ts';
import {
  beginReply,
  ExtendedError,
  Rcode,
  RecordType,
  setAnswerCount,
  setAuthorityCount,
  writeAddressRecord,
  writeAnyHinfo,
  writeNegativeSoa,
  writeRecord,
} from '../wire/index.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, recordLimit } from './reply.ts';
import { SpecialUse } from './special-names.ts';

/** TTL of answers that never change: localhost, ANY. */
const FIXED_TTL_SECONDS = 3600;
const LOOPBACK4 = Uint8Array.of(127, 0, 0, 1);
const LOOPBACK6 = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
/** Owner, type, class, TTL and length of a record whose owner is a pointer. */
const RECORD_FIXED_BYTES = 12;

/**
 * A catalog name: the relays of a list for A and AAAA, nothing for HTTPS and SVCB, whose hints would
 * lead past the relay. A family that the account has not registered gets nothing either: its connections
 * would be refused by the relay once TCP has succeeded, too late for the other family to be tried.
 */
export function answerSteered(
  s: QueryState,
  m: Uint8Array,
  list: number,
  traits: TransportTraits,
): QueryVerdict {
  const type = s.question.type;
  beginReply(m, Rcode.NOERROR, 1);
  s.extendedError = ExtendedError.FORGED_ANSWER;
  let end = s.question.end;
  if (type === RecordType.A && s.catalog.allowsIPv4(s.profile)) end = writeRelays(s, m, list, 4, traits);
  else if (type === RecordType.AAAA && s.catalog.allowsIPv6(s.profile)) {
    end = writeRelays(s, m, list, 6, traits);
  }
  if (end === s.question.end) end = writeNodata(s, m, s.catalog.matchedLabel);
  finishReply(s, m, end, Rcode.NOERROR, s.replyLimit(traits));
  return QueryVerdict.STEERED;
}

/** Writes the relays' records, the source's first choice first. @returns the offset behind them. */
function writeRelays(
  s: QueryState,
  m: Uint8Array,
  list: number,
  family: 4 | 6,
  traits: TransportTraits,
): number {
  const catalog = s.catalog;
  const orders = catalog.orders;
  const addresses = family === 4 ? catalog.addresses4 : catalog.addresses6;
  const size = family === 4 ? 4 : 16;
  const limit = recordLimit(s, traits);
  const first = catalog.order(list, family, sourceBucket(s));
  let end = s.question.end;
  let count = 0;
  while (count < MAX_RELAYS_PER_ANSWER && end + RECORD_FIXED_BYTES + size <= limit) {
    const relay = orders[first + count];
    if (relay === NO_RELAY) break;
    end = writeAddressRecord(m, end, s.answerTtlSeconds, addresses, relay * size, size);
    count++;
  }
  setAnswerCount(m, count);
  return end;
}

/**
 * The same for a home at each query and at every edge, so that it stays with its relay: by IPv4 address or
 * IPv6 /64, and not keyed.
 */
function sourceBucket(s: QueryState): number {
  const source = s.source;
  let h = source[0];
  if (s.family === 6) h ^= Math.imul(source[1], 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & (BUCKETS - 1);
}

/** An SOA in the authority section, owned by the suffix that starts at `label` (RFC 2308 2.2). */
function writeNodata(s: QueryState, m: Uint8Array, label: number): number {
  setAuthorityCount(m, 1);
  return writeNegativeSoa(m, s.question.end, s.question.name.labelOffsets[label], s.answerTtlSeconds);
}

/** A special-use name, answered without asking anyone. `use` is what SpecialNames.match found. */
export function answerSpecial(
  s: QueryState,
  m: Uint8Array,
  use: number,
  traits: TransportTraits,
): QueryVerdict {
  const type = s.question.type;
  const limit = s.replyLimit(traits);
  if (use === SpecialUse.LOOPBACK) {
    beginReply(m, Rcode.NOERROR, 1);
    let end = s.question.end;
    if (type === RecordType.A) end = writeAddressRecord(m, end, FIXED_TTL_SECONDS, LOOPBACK4, 0, 4);
    else if (type === RecordType.AAAA) end = writeAddressRecord(m, end, FIXED_TTL_SECONDS, LOOPBACK6, 0, 16);
    if (end > s.question.end) {
      setAnswerCount(m, 1);
      finishReply(s, m, end, Rcode.NOERROR, limit);
      return QueryVerdict.LOCAL;
    }
    finishReply(s, m, writeNodata(s, m, s.specialNames.matchedLabel), Rcode.NOERROR, limit);
    return QueryVerdict.NEGATIVE_LOCAL;
  }
  if (use === SpecialUse.DISCOVERY && s.specialNames.matchedLabel === 0) return answerDiscovery(s, m, traits);
  beginReply(m, Rcode.NXDOMAIN, 1);
  finishReply(s, m, writeNodata(s, m, s.specialNames.matchedLabel), Rcode.NXDOMAIN, limit);
  return QueryVerdict.NEGATIVE_LOCAL;
}

/** Where our encrypted listeners are (RFC 9462 4), or that there are none. */
function answerDiscovery(s: QueryState, m: Uint8Array, traits: TransportTraits): QueryVerdict {
  beginReply(m, Rcode.NOERROR, 1);
  const limit = recordLimit(s, traits);
  let end = s.question.end;
  let count = 0;
  if (s.question.type === RecordType.SVCB) {
    for (let i = 0; i < s.discovery.length; i++) {
      if (end + RECORD_FIXED_BYTES + s.discovery[i].length > limit) break;
      end = writeRecord(m, end, RecordType.SVCB, FIXED_TTL_SECONDS, s.discovery[i]);
      count++;
    }
  }
  setAnswerCount(m, count);
  if (count === 0) end = writeNodata(s, m, 0);
  finishReply(s, m, end, Rcode.NOERROR, s.replyLimit(traits));
  return count === 0 ? QueryVerdict.NEGATIVE_LOCAL : QueryVerdict.LOCAL;
}

/** ANY: one HINFO record that says that nobody gets everything (RFC 8482 4.2). */
export function answerAny(s: QueryState, m: Uint8Array, traits: TransportTraits): QueryVerdict {
  beginReply(m, Rcode.NOERROR, 1);
  setAnswerCount(m, 1);
  finishReply(s, m, writeAnyHinfo(m, s.question.end, FIXED_TTL_SECONDS), Rcode.NOERROR, s.replyLimit(traits));
  return QueryVerdict.LOCAL;
}
