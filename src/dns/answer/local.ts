import { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_LIST, NO_RELAY } from '../../catalog/lookup/index.ts';
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
} from '../../wire/index.ts';
import { QueryVerdict } from '../verdict.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, recordLimit } from './reply.ts';
import { SpecialUse } from './special.ts';

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
  state: QueryState,
  message: Uint8Array,
  list: number,
  traits: TransportTraits,
): QueryVerdict {
  const type = state.question.type;
  beginReply(message, Rcode.NOERROR, 1);
  state.extendedError = ExtendedError.FORGED_ANSWER;
  let end = state.question.end;
  if (type === RecordType.A && state.catalog.allowsIPv4(state.profile))
    end = writeRelays(state, message, list, 4, traits, state.answerTtlSeconds);
  else if (type === RecordType.AAAA && state.catalog.allowsIPv6(state.profile)) {
    end = writeRelays(state, message, list, 6, traits, state.answerTtlSeconds);
  }
  if (end === state.question.end) end = writeNodata(state, message, state.catalog.matchedLabel);
  finishReply(state, message, end, Rcode.NOERROR, state.replyLimit(traits));
  return QueryVerdict.STEERED;
}

/** Writes the relays' records, the source's first choice first. @returns the offset behind them. */
function writeRelays(
  state: QueryState,
  message: Uint8Array,
  list: number,
  family: 4 | 6,
  traits: TransportTraits,
  ttlSeconds: number,
): number {
  const catalog = state.catalog;
  const orders = catalog.orders;
  const addresses = family === 4 ? catalog.addresses4 : catalog.addresses6;
  const size = family === 4 ? 4 : 16;
  const limit = recordLimit(state, traits);
  const first = catalog.order(list, family, sourceBucket(state));
  let end = state.question.end;
  let count = 0;
  while (count < MAX_RELAYS_PER_ANSWER && end + RECORD_FIXED_BYTES + size <= limit) {
    const relay = orders[first + count];
    if (relay === NO_RELAY) break;
    end = writeAddressRecord(message, end, ttlSeconds, addresses, relay * size, size);
    count++;
  }
  setAnswerCount(message, count);
  return end;
}

/** Writes the relays of the account's own region, as for a catalog name. @returns offset behind the records */
export function writeOwnRelays(
  state: QueryState,
  message: Uint8Array,
  traits: TransportTraits,
  ttlSeconds: number,
): number {
  const { type, end } = state.question;
  const { catalog, profile } = state;
  const list = catalog.ownList(profile);
  if (list === NO_LIST) return end;
  if (type === RecordType.A && catalog.allowsIPv4(profile))
    return writeRelays(state, message, list, 4, traits, ttlSeconds);
  if (type === RecordType.AAAA && catalog.allowsIPv6(profile))
    return writeRelays(state, message, list, 6, traits, ttlSeconds);
  return end;
}

/**
 * The same for a home at each query and at every edge, so that it stays with its relay: by IPv4 address or
 * IPv6 /64, and not keyed.
 */
function sourceBucket(state: QueryState): number {
  const { family, words } = state.source;
  let h = words[0];
  if (family === 6) h ^= Math.imul(words[1], 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & (BUCKETS - 1);
}

/** An SOA in the authority section, owned by the suffix that starts at `label` (RFC 2308 2.2). */
function writeNodata(state: QueryState, message: Uint8Array, label: number): number {
  setAuthorityCount(message, 1);
  return writeNegativeSoa(
    message,
    state.question.end,
    state.question.name.labelOffsets[label],
    state.answerTtlSeconds,
  );
}

/** A special-use name, answered without asking anyone. `use` is what SpecialNames.match found. */
export function answerSpecial(
  state: QueryState,
  message: Uint8Array,
  use: number,
  traits: TransportTraits,
): QueryVerdict {
  const type = state.question.type;
  const limit = state.replyLimit(traits);
  if (use === SpecialUse.LOOPBACK) {
    beginReply(message, Rcode.NOERROR, 1);
    let end = state.question.end;
    if (type === RecordType.A) end = writeAddressRecord(message, end, FIXED_TTL_SECONDS, LOOPBACK4, 0, 4);
    else if (type === RecordType.AAAA)
      end = writeAddressRecord(message, end, FIXED_TTL_SECONDS, LOOPBACK6, 0, 16);
    if (end > state.question.end) {
      setAnswerCount(message, 1);
      finishReply(state, message, end, Rcode.NOERROR, limit);
      return QueryVerdict.LOCAL;
    }
    finishReply(
      state,
      message,
      writeNodata(state, message, state.specialNames.matchedLabel),
      Rcode.NOERROR,
      limit,
    );
    return QueryVerdict.NEGATIVE_LOCAL;
  }
  if (use === SpecialUse.DISCOVERY && state.specialNames.matchedLabel === 0)
    return answerDiscovery(state, message, traits);
  beginReply(message, Rcode.NXDOMAIN, 1);
  finishReply(
    state,
    message,
    writeNodata(state, message, state.specialNames.matchedLabel),
    Rcode.NXDOMAIN,
    limit,
  );
  return QueryVerdict.NEGATIVE_LOCAL;
}

/** Where our encrypted listeners are (RFC 9462 4), or that there are none. */
function answerDiscovery(state: QueryState, message: Uint8Array, traits: TransportTraits): QueryVerdict {
  beginReply(message, Rcode.NOERROR, 1);
  const limit = recordLimit(state, traits);
  let end = state.question.end;
  let count = 0;
  if (state.question.type === RecordType.SVCB) {
    for (let i = 0; i < state.discovery.length; i++) {
      if (end + RECORD_FIXED_BYTES + state.discovery[i].length > limit) break;
      end = writeRecord(message, end, RecordType.SVCB, FIXED_TTL_SECONDS, state.discovery[i]);
      count++;
    }
  }
  setAnswerCount(message, count);
  if (count === 0) end = writeNodata(state, message, 0);
  finishReply(state, message, end, Rcode.NOERROR, state.replyLimit(traits));
  return count === 0 ? QueryVerdict.NEGATIVE_LOCAL : QueryVerdict.LOCAL;
}

/** ANY: one HINFO record that says that nobody gets everything (RFC 8482 4.2). */
export function answerAny(state: QueryState, message: Uint8Array, traits: TransportTraits): QueryVerdict {
  beginReply(message, Rcode.NOERROR, 1);
  setAnswerCount(message, 1);
  finishReply(
    state,
    message,
    writeAnyHinfo(message, state.question.end, FIXED_TTL_SECONDS),
    Rcode.NOERROR,
    state.replyLimit(traits),
  );
  return QueryVerdict.LOCAL;
}
