import { authenticData, type Question, Rcode } from '../../wire/index.ts';
import { DENIAL_TYPE, keyFlags, keyHash } from './key.ts';
import {
  ANSWER_COUNT_HALF,
  AUTHENTIC_BYTE,
  AUTHORITY_COUNT_HALF,
  BODY_LENGTH_HALF,
  CLASS_HALF,
  CUT_COUNT_HALF,
  ENTRY_HEADER_BYTES,
  EXPIRES_WORD,
  HASH_WORD,
  KEY_FLAGS_BYTE,
  MAX_ENTRY_BYTES,
  NAME_LENGTH_BYTE,
  RCODE_BYTE,
  SIZE_WORD,
  STORED_WORD,
  TABLE_HALF,
  TYPE_HALF,
  UNIT_BYTES,
} from './layout.ts';

/** Question to the upstream. Its hashes must be made with the readers' seed. */
export interface EntryRequest {
  readonly question: Question;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** Records of an entry, as input of the encoder. */
export interface EntryBody {
  /** The records are bytes[start, end). */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Offsets from `start` of each record's TTL, and of the ends of all RRsets but the last. */
  readonly ttlOffsets: ArrayLike<number>;
  readonly recordCount: number;
  readonly cuts: ArrayLike<number>;
  readonly cutCount: number;
  readonly answerCount: number;
  readonly ttlSeconds: number;
}

/** Encodes entries (layout.ts), one after the other in the same memory. Allocates nothing. */
export class EntryEncoder {
  /** The latest entry, at 0. */
  readonly bytes: Buffer;
  private readonly words: Uint32Array;
  private readonly halves: Uint16Array;

  constructor() {
    const memory = new ArrayBuffer(MAX_ENTRY_BYTES);
    this.bytes = Buffer.from(memory);
    this.words = new Uint32Array(memory);
    this.halves = new Uint16Array(memory);
  }

  /**
   * @param message the upstream's reply, for its AD bit
   * @param nowSeconds of the process' clock
   * @returns bytes of the entry
   */
  encode(
    request: EntryRequest,
    rcode: number,
    message: Uint8Array,
    body: EntryBody,
    nowSeconds: number,
  ): number {
    const { bytes, words, halves } = this;
    const { question } = request;
    const { bytes: nameBytes, length: nameLength } = question.name;
    const { recordCount, cutCount, start, answerCount } = body;
    const bodyLength = body.end - start;
    const nameOffset = ENTRY_HEADER_BYTES + 2 * (recordCount + cutCount);
    const bodyOffset = nameOffset + nameLength;
    const units = Math.ceil((bodyOffset + bodyLength) / UNIT_BYTES);
    const flags = keyFlags(request.dnssecOk, request.checkingDisabled);
    // Behind a CNAME it is the target that does not exist (RFC 8020 2).
    const isDenial = rcode === Rcode.NXDOMAIN && answerCount === 0;
    const type = isDenial ? DENIAL_TYPE : question.type;
    words[SIZE_WORD] = units;
    words[HASH_WORD] = keyHash(question.hashes[0], type, question.qclass, flags);
    words[STORED_WORD] = nowSeconds;
    words[EXPIRES_WORD] = nowSeconds + body.ttlSeconds;
    halves[CLASS_HALF] = question.qclass;
    halves[TYPE_HALF] = type;
    bytes[KEY_FLAGS_BYTE] = flags;
    bytes[RCODE_BYTE] = rcode;
    bytes[AUTHENTIC_BYTE] = authenticData(message) ? 1 : 0;
    bytes[NAME_LENGTH_BYTE] = nameLength;
    halves[ANSWER_COUNT_HALF] = answerCount;
    halves[AUTHORITY_COUNT_HALF] = recordCount - answerCount;
    halves[CUT_COUNT_HALF] = cutCount;
    halves[BODY_LENGTH_HALF] = bodyLength;
    for (let i = 0; i < recordCount; i++) halves[TABLE_HALF + i] = body.ttlOffsets[i];
    for (let i = 0; i < cutCount; i++) halves[TABLE_HALF + recordCount + i] = body.cuts[i];
    for (let i = 0; i < nameLength; i++) bytes[nameOffset + i] = nameBytes[i];
    for (let i = 0; i < bodyLength; i++) bytes[bodyOffset + i] = body.bytes[start + i];
    const length = units * UNIT_BYTES;
    for (let i = bodyOffset + bodyLength; i < length; i++) bytes[i] = 0;
    return length;
  }
}
