import {
  answerCount,
  authorityCount,
  equalBytes,
  MALFORMED,
  NameScratch,
  Rcode,
  RecordClass,
  RecordCursor,
  RecordType,
  RecordWriter,
  readName,
  readU32,
} from '../../wire/index.ts';
import type { TtlLimits } from './entry.ts';
import { EntryEncoder, type EntryRequest } from './entry-encoder.ts';
import { MAX_CHAIN, MAX_NEGATIVE_TTL_SECONDS, MIN_SOA_BYTES } from './select.ts';

/** Returned by build instead of a length: use buildEntry for this reply. */
export const NOT_PLAIN = -1;
/** A record of the reply is malformed; the reply must not be used. */
export const BAD_REPLY = -2;

const MAX_RECORDS = 64;
const MAX_TTL = 0x7fffffff;

/**
 * Makes entries like buildEntry, without garbage, of the usual forms of replies: for questions without DO, an
 * ordered chain of CNAMEs ending in the RRset asked for, or no answers and an SOA. buildEntry is the
 * reference, and a test compares both.
 */
export class PlainEntryBuilder {
  /** The latest entry, at 0. */
  readonly encoder = new EntryEncoder();
  /** True if it may be stored. */
  cacheable = false;

  private readonly writer = new RecordWriter();
  private readonly cursor = new RecordCursor();
  private readonly owner = new NameScratch();
  private readonly target = new NameScratch();
  private readonly chainHashes = new Int32Array(MAX_CHAIN + 1);
  private readonly records = Array.from({ length: MAX_RECORDS }, () => ({
    ownerOffset: 0,
    type: 0,
    rclass: 0,
    rdataOffset: 0,
    rdataLength: 0,
  }));
  /** Integers, because a Float64Array's numbers would be allocated as arguments. */
  private readonly ttls = new Int32Array(MAX_RECORDS);
  private readonly body = {
    bytes: this.writer.bytes,
    start: 0,
    end: 0,
    ttlOffsets: new Uint16Array(MAX_RECORDS),
    recordCount: 0,
    cuts: new Uint16Array(MAX_RECORDS),
    cutCount: 0,
    answerCount: 0,
    ttlSeconds: 0,
  };
  private count = 0;
  /** Records of the CNAME chain, which come first. */
  private chain = 0;

  /**
   * @param message the reply message[0, length), known to answer the question with NOERROR or NXDOMAIN (`rcode`) and to
   *   have well-formed records; its question in lower case
   * @returns bytes of the entry in encoder.bytes, NOT_PLAIN or BAD_REPLY
   */
  build(
    request: EntryRequest,
    message: Uint8Array,
    length: number,
    rcode: number,
    nowSeconds: number,
    limits: TtlLimits,
  ): number {
    const { question } = request;
    const { type } = question;
    if (request.dnssecOk || question.qclass !== RecordClass.IN) return NOT_PLAIN;
    if (type === RecordType.ANY || type === RecordType.RRSIG || type === RecordType.CNAME) return NOT_PLAIN;
    const answers = answerCount(message);
    if (answers > MAX_RECORDS || (answers > 0 && rcode !== Rcode.NOERROR)) return NOT_PLAIN;
    this.cursor.begin(message, length, question.end);
    this.count = 0;
    this.chain = 0;
    const isPlain = this.readAnswers(request, message, length, answers);
    if (!isPlain || !this.readAuthority(request, message, length, answers === 0)) return NOT_PLAIN;
    return this.write(request, message, length, rcode, answers, nowSeconds, limits);
  }

  private readAnswers(
    { question }: EntryRequest,
    message: Uint8Array,
    length: number,
    answers: number,
  ): boolean {
    const { cursor, owner, target, chainHashes } = this;
    copyName(question.name, target);
    let hasAnswer = false;
    for (let i = 0; i < answers; i++) {
      if (!cursor.next() || readName(message, length, cursor.ownerOffset, owner) === MALFORMED) return false;
      if (cursor.rclass !== RecordClass.IN || !sameName(owner, target)) return false;
      this.keep();
      if (cursor.type === question.type) {
        hasAnswer = true;
        continue;
      }
      if (cursor.type !== RecordType.CNAME || hasAnswer || this.chain === MAX_CHAIN) return false;
      chainHashes[this.chain++] = hashOf(target);
      const end = cursor.rdataOffset + cursor.rdataLength;
      if (readName(message, length, cursor.rdataOffset, target) !== end) return false;
      if (this.wasSeen(hashOf(target))) return false;
    }
    return answers === 0 || hasAnswer;
  }

  private wasSeen(hash: number): boolean {
    for (let i = 0; i < this.chain; i++) if (this.chainHashes[i] === hash) return true;
    return false;
  }

  /** Keeps the SOA of a negative answer. Reads all owners, as buildEntry does. */
  private readAuthority(
    { question }: EntryRequest,
    message: Uint8Array,
    length: number,
    isNegative: boolean,
  ): boolean {
    const { cursor, owner } = this;
    for (let i = authorityCount(message); i > 0; i--) {
      if (!cursor.next() || readName(message, length, cursor.ownerOffset, owner) === MALFORMED) return false;
      const isSoa = cursor.type === RecordType.SOA && cursor.rclass === RecordClass.IN;
      if (!isNegative || !isSoa || this.count > 0 || !isBelow(question.name, owner)) continue;
      if (cursor.rdataLength < MIN_SOA_BYTES) return false;
      this.keep();
      const minimum = readU32(message, cursor.rdataOffset + cursor.rdataLength - 4);
      const cap = minimum > MAX_TTL ? 0 : Math.min(minimum, MAX_NEGATIVE_TTL_SECONDS);
      if (this.ttls[0] > cap) this.ttls[0] = cap;
    }
    return true;
  }

  private keep(): void {
    const { cursor } = this;
    const record = this.records[this.count];
    record.ownerOffset = cursor.ownerOffset;
    record.type = cursor.type;
    record.rclass = cursor.rclass;
    record.rdataOffset = cursor.rdataOffset;
    record.rdataLength = cursor.rdataLength;
    // RFC 2181 8: a TTL with the most significant bit set is zero.
    this.ttls[this.count++] = cursor.ttl > MAX_TTL ? 0 : cursor.ttl;
  }

  private write(
    request: EntryRequest,
    message: Uint8Array,
    length: number,
    rcode: number,
    answers: number,
    nowSeconds: number,
    limits: TtlLimits,
  ): number {
    const { body, writer, chain, count, ttls } = this;
    const { minTtlSeconds, maxTtlSeconds } = limits;
    // An RRset has one TTL, the least of its records' (RFC 2181 5.2). Each CNAME is an RRset of its own.
    let setTtl = MAX_TTL;
    for (let i = chain; i < count; i++) if (ttls[i] < setTtl) setTtl = ttls[i];
    let least = maxTtlSeconds;
    writer.begin(request.question, message, length, request.question.end);
    body.start = writer.offset;
    body.cutCount = 0;
    for (let i = 0; i < count; i++) {
      const ttl = i < chain ? ttls[i] : setTtl;
      const held = ttl > maxTtlSeconds ? maxTtlSeconds : ttl < minTtlSeconds ? minTtlSeconds : ttl;
      if (held < least) least = held;
      if (!writer.copy(this.records[i], held)) return BAD_REPLY;
      body.ttlOffsets[i] = writer.ttlOffset - body.start;
      if (i < chain) body.cuts[body.cutCount++] = writer.offset - body.start;
    }
    body.end = writer.offset;
    body.recordCount = count;
    body.answerCount = answers;
    body.ttlSeconds = count === 0 ? 0 : least;
    this.cacheable = count > 0 && least > 0;
    return this.encoder.encode(request, rcode, message, body, nowSeconds);
  }
}

/** Hash of the whole name. A chance collision only makes a reply NOT_PLAIN. */
function hashOf(name: NameScratch): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.bytes[i], 0x01000193);
  return hash;
}

function copyName(from: NameScratch, to: NameScratch): void {
  for (let i = 0; i < from.length; i++) to.bytes[i] = from.bytes[i];
  to.length = from.length;
}

function sameName(a: NameScratch, b: NameScratch): boolean {
  return a.length === b.length && equalBytes(a.bytes, 0, b.bytes, 0, a.length);
}

/** True if `name` is `ancestor` or below it. */
function isBelow(name: NameScratch, ancestor: NameScratch): boolean {
  const label = name.labelCount - ancestor.labelCount;
  if (label < 0) return false;
  const offset = name.labelOffsets[label];
  return (
    name.length - offset === ancestor.length &&
    equalBytes(name.bytes, offset, ancestor.bytes, 0, ancestor.length)
  );
}
