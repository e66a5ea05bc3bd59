import {
  copyBytes,
  HEADER_BYTES,
  isResponse,
  isTruncated,
  type Question,
  questionCount,
  Rcode,
  RecordWriter,
  readU16,
} from '../../wire/index.ts';
import { EntryEncoder, type EntryRequest } from './entry-encoder.ts';
import { type NameKey, nameKeyOf, type ReplyRecords, readReplyRecords } from './reply-records.ts';
import { type RecordSet, type Selection, selectRecords } from './select.ts';

const EMPTY: Selection = { answers: [], authorities: [], conclusive: false };

/** Bounds on the TTL of every stored record. */
export interface TtlLimits {
  readonly minTtlSeconds: number;
  readonly maxTtlSeconds: number;
}

export const DEFAULT_TTL_LIMITS: TtlLimits = { minTtlSeconds: 0, maxTtlSeconds: 86_400 };

export interface BuiltEntry {
  /** For EntryReader and CacheWriter.store. */
  readonly entry: Uint8Array;
  /** The least TTL in it. */
  readonly ttlSeconds: number;
  /** True if it may be stored: NOERROR or NXDOMAIN, with the answer or an SOA, and a TTL above 0. */
  readonly cacheable: boolean;
}

/** Records in the writer's memory, from `start` to its offset. */
interface Body {
  readonly start: number;
  /** Offsets from `start` of TTLs and of the ends of RRsets. */
  readonly ttlOffsets: number[];
  readonly cuts: number[];
  answerCount: number;
  ttlSeconds: number;
}

const writer = new RecordWriter();
const encoder = new EntryEncoder();

/**
 * Makes an entry of an upstream's reply m[0, length). Keeps only what answers the question (select.ts), with
 * TTLs by RFC 2181 5.2 and 8 and RFC 2308 5, within `limits`. An rcode other than NOERROR and NXDOMAIN gives
 * an entry without records; an extended one becomes SERVFAIL.
 * @param nowMs the process's clock; entries keep whole seconds
 * @returns null for an unusable reply: malformed, truncated, to another question, or with a looping chain of
 *   CNAMEs
 */
export function buildEntry(
  request: EntryRequest,
  m: Uint8Array,
  length: number,
  nowMs: number,
  limits: TtlLimits = DEFAULT_TTL_LIMITS,
): BuiltEntry | null {
  if (length < HEADER_BYTES || !isResponse(m) || isTruncated(m) || questionCount(m) !== 1) return null;
  const { question } = request;
  const name = nameKeyOf(question.name);
  const reply = readReplyRecords(m, length);
  if (reply === null || !asks(m, reply, name, question)) return null;
  const isAnswer = reply.rcode === Rcode.NOERROR || reply.rcode === Rcode.NXDOMAIN;
  const asked = {
    name,
    type: question.type,
    qclass: question.qclass,
    dnssecOk: request.dnssecOk,
  };
  const selection = isAnswer ? selectRecords(asked, reply, m, length) : EMPTY;
  if (selection === null) return null;
  writer.begin(question, m, length, reply.questionEnd);
  const body = writeBody(selection, limits);
  if (body === null) return null;
  const rcode = reply.rcode > 15 ? Rcode.SERVFAIL : reply.rcode;
  const { ttlOffsets, cuts, start, answerCount, ttlSeconds } = body;
  const entryLength = encoder.encode(
    request,
    rcode,
    m,
    {
      bytes: writer.bytes,
      start,
      end: writer.offset,
      ttlOffsets,
      recordCount: ttlOffsets.length,
      cuts,
      cutCount: cuts.length,
      answerCount,
      ttlSeconds,
    },
    Math.floor(nowMs / 1000),
  );
  const entry = copyBytes(encoder.bytes, 0, entryLength);
  return { entry, ttlSeconds: body.ttlSeconds, cacheable: selection.conclusive && body.ttlSeconds > 0 };
}

/** True if the reply is to this question, in any case. */
function asks(m: Uint8Array, reply: ReplyRecords, name: NameKey, question: Question): boolean {
  const end = reply.questionEnd;
  if (reply.question !== name || end !== HEADER_BYTES + name.length + 4) return false;
  return readU16(m, end - 4) === question.type && readU16(m, end - 2) === question.qclass;
}

/** Writes the records behind the question. @returns null if one is malformed or they exceed 64 KiB */
function writeBody(selection: Selection, limits: TtlLimits): Body | null {
  const body: Body = {
    start: writer.offset,
    ttlOffsets: [],
    cuts: [],
    answerCount: 0,
    ttlSeconds: limits.maxTtlSeconds,
  };
  for (const set of selection.answers) if (!writeSet(set, limits, body)) return null;
  body.answerCount = body.ttlOffsets.length;
  for (const set of selection.authorities) if (!writeSet(set, limits, body)) return null;
  if (body.ttlOffsets.length === 0) body.ttlSeconds = 0;
  // The last RRset ends with the body.
  body.cuts.pop();
  return body;
}

function writeSet(set: RecordSet, limits: TtlLimits, body: Body): boolean {
  const ttlSeconds = Math.max(Math.min(set.ttlSeconds, limits.maxTtlSeconds), limits.minTtlSeconds);
  body.ttlSeconds = Math.min(body.ttlSeconds, ttlSeconds);
  for (const record of set.records) {
    if (!writer.copy(record, ttlSeconds)) return false;
    body.ttlOffsets.push(writer.ttlOffset - body.start);
  }
  body.cuts.push(writer.offset - body.start);
  return true;
}
