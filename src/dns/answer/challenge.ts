import {
  beginReply,
  equalBytes,
  Rcode,
  RecordType,
  setAnswerCount,
  setAuthoritative,
  setAuthorityCount,
  writeNegativeSoa,
  writeRecord,
} from '../../wire/index.ts';
import { QueryVerdict } from '../verdict.ts';
import { OpenName } from './open-names.ts';
import type { QueryState, TransportTraits } from './query-state.ts';
import { finishReply, recordLimit } from './reply.ts';

/** Long enough for a CA's retries, short enough for the next order. */
const TTL_SECONDS = 1;
const RECORD_FIXED_BYTES = 12;

/**
 * Answers as the authoritative server of a zone that is delegated to this edge: the challenge names of ACME (RFC 8555, section
 * 8.4), and the test zone around them, which resolvers walk down (RFC 9156) and in which nothing else exists for them.
 * @param name result of OpenNames.match
 */
export function answerDelegated(
  state: QueryState,
  message: Uint8Array,
  name: number,
  traits: TransportTraits,
): QueryVerdict {
  const { question, openNames } = state;
  const exists = name === OpenName.CHALLENGE || name === OpenName.NODE;
  const rcode = exists ? Rcode.NOERROR : Rcode.NXDOMAIN;
  beginReply(message, rcode, 1);
  setAuthoritative(message);
  // A challenge name may be a zone of its own; all others belong to the test zone.
  const isApex = name === OpenName.CHALLENGE || openNames.zoneLabel === 0;
  const zone = question.name.labelOffsets[name === OpenName.CHALLENGE ? 0 : openNames.zoneLabel];
  let end = question.end;
  if (name === OpenName.CHALLENGE && question.type === RecordType.TXT)
    end = writeTexts(state, message, traits);
  else if (isApex && question.type === RecordType.NS) {
    end = writeRecord(message, end, RecordType.NS, TTL_SECONDS, openNames.nameServer!);
    setAnswerCount(message, 1);
  } else if (isApex && question.type === RecordType.SOA) {
    end = writeNegativeSoa(message, end, zone, TTL_SECONDS);
    setAnswerCount(message, 1);
  }
  if (end === question.end) {
    setAuthorityCount(message, 1);
    end = writeNegativeSoa(message, end, zone, TTL_SECONDS);
  }
  finishReply(state, message, end, rcode, state.replyLimit(traits));
  return QueryVerdict.LOCAL;
}

/** @returns offset behind the records */
function writeTexts(state: QueryState, message: Uint8Array, traits: TransportTraits): number {
  const { question, challenges } = state;
  const limit = recordLimit(state, traits);
  let end = question.end;
  let count = 0;
  for (let i = 0; i < challenges.length; i++) {
    const { name, rdata } = challenges[i];
    if (name.length !== question.name.length || !equalBytes(question.name.bytes, 0, name, 0, name.length))
      continue;
    if (end + RECORD_FIXED_BYTES + rdata.length > limit) break;
    end = writeRecord(message, end, RecordType.TXT, TTL_SECONDS, rdata);
    count++;
  }
  setAnswerCount(message, count);
  return end;
}
