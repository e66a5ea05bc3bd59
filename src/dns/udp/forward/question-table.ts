import {
  equalBytes,
  HEADER_BYTES,
  lowerCase,
  MAX_QUERY_BYTES,
  type Question,
  readU16,
} from '../../../wire/index.ts';

/** Questions that one thread may have under way. */
export const MAX_QUESTIONS = 4096;
const STRIDE = 320;
const HEADS = 8192;
/** Counters of questions under way by zone. */
const ZONE_CELLS = 4096;
export const NONE = -1;
/** Instead of a socket: another thread asks the question. */
export const PARKED = -2;
/** Instead of a socket: sent at the end of the batch. */
export const QUEUED = -3;

/**
 * Outstanding questions of one thread, in typed arrays: found by key, by socket and ID, and in the order of their deadlines.
 * Every slot holds the query as it was sent, so that a reply is compared with it byte by byte.
 */
export class QuestionTable {
  /** The query of slot q: bytes[q * stride, ...). */
  readonly bytes = new Uint8Array(MAX_QUESTIONS * STRIDE);
  readonly lengths = new Uint16Array(MAX_QUESTIONS);
  readonly questionEnds = new Uint16Array(MAX_QUESTIONS);
  readonly keys = new Int32Array(MAX_QUESTIONS);
  /** As in the cache's keys: DO and CD. */
  readonly flags = new Uint8Array(MAX_QUESTIONS);
  readonly sockets = new Int16Array(MAX_QUESTIONS);
  readonly ids = new Uint16Array(MAX_QUESTIONS);
  readonly sentMs = new Float64Array(MAX_QUESTIONS);
  readonly deadlinesMs = new Float64Array(MAX_QUESTIONS);
  readonly falseReplies = new Uint8Array(MAX_QUESTIONS);
  /** 1: a reply to it was malformed, perhaps cut. */
  readonly unreadable = new Uint8Array(MAX_QUESTIONS);
  readonly hasClaim = new Uint8Array(MAX_QUESTIONS);
  readonly firstWaiters = new Int16Array(MAX_QUESTIONS);
  /** 1: handed to the resolver, kept for a late reply. */
  readonly lingers = new Uint8Array(MAX_QUESTIONS);
  private readonly zones = new Uint16Array(MAX_QUESTIONS);
  private readonly perZone = new Uint16Array(ZONE_CELLS);
  /** Slots in the order in which they were added, so of their deadlines. */
  readonly next = new Int16Array(MAX_QUESTIONS);
  private readonly previous = new Int16Array(MAX_QUESTIONS);
  private readonly keyNext = new Int16Array(MAX_QUESTIONS);
  private readonly keyHeads = new Int16Array(HEADS).fill(NONE);
  private readonly idNext = new Int16Array(MAX_QUESTIONS);
  private readonly idHeads = new Int16Array(HEADS).fill(NONE);
  private readonly free = new Int16Array(MAX_QUESTIONS);
  first = NONE;
  private last = NONE;
  /** The same for questions that linger. */
  firstLingering = NONE;
  private lastLingering = NONE;
  lingering = 0;
  count = 0;

  constructor() {
    for (let q = 0; q < MAX_QUESTIONS; q++) this.free[q] = MAX_QUESTIONS - 1 - q;
  }

  get isFull(): boolean {
    return this.count === MAX_QUESTIONS;
  }

  offset(q: number): number {
    return q * STRIDE;
  }

  find(key: number, question: Question, flags: number): number {
    for (let q = this.keyHeads[key & (HEADS - 1)]; q !== NONE; q = this.keyNext[q]) {
      if (this.keys[q] === key && this.flags[q] === flags && this.asks(q, question)) return q;
    }
    return NONE;
  }

  findReply(socket: number, id: number): number {
    for (let q = this.idHeads[idHash(socket, id)]; q !== NONE; q = this.idNext[q]) {
      if (this.ids[q] === id && this.sockets[q] === socket) return q;
    }
    return NONE;
  }

  /** Questions under way in this zone. @param hash of the zone's name */
  inZone(hash: number): number {
    return this.perZone[hash & (ZONE_CELLS - 1)];
  }

  /** Takes a slot, parked, at the end of the order. The caller has seen that there is room. @param zone hash of its name */
  add(key: number, flags: number, zone: number, deadlineMs: Float64Array): number {
    const q = this.free[MAX_QUESTIONS - 1 - this.count++];
    this.keys[q] = key;
    this.flags[q] = flags;
    this.sockets[q] = PARKED;
    this.falseReplies[q] = 0;
    this.unreadable[q] = 0;
    this.hasClaim[q] = 0;
    this.lingers[q] = 0;
    this.zones[q] = zone & (ZONE_CELLS - 1);
    this.perZone[this.zones[q]]++;
    this.firstWaiters[q] = NONE;
    const head = key & (HEADS - 1);
    this.keyNext[q] = this.keyHeads[head];
    this.keyHeads[head] = q;
    this.append(q, deadlineMs);
    return q;
  }

  /** The question leaves by this socket under this ID. */
  send(q: number, socket: number, id: number): void {
    const head = idHash(socket, id);
    this.sockets[q] = socket;
    this.ids[q] = id;
    this.idNext[q] = this.idHeads[head];
    this.idHeads[head] = q;
  }

  /** Moves a slot to the end of the order, with a new deadline. */
  defer(q: number, deadlineMs: Float64Array): void {
    this.unlink(q);
    this.append(q, deadlineMs);
  }

  /** Keeps a question that was sent for a late reply: new queries do not find it. */
  linger(q: number, deadlineMs: Float64Array): void {
    cut(this.keyHeads, this.keyNext, this.keys[q] & (HEADS - 1), q);
    this.perZone[this.zones[q]]--;
    this.unlink(q);
    this.lingers[q] = 1;
    this.lingering++;
    this.append(q, deadlineMs);
  }

  remove(q: number): void {
    const at = this.offset(q);
    this.bytes.fill(0, at, at + this.lengths[q]);
    if (this.sockets[q] >= 0) cut(this.idHeads, this.idNext, idHash(this.sockets[q], this.ids[q]), q);
    this.unlink(q);
    if (this.lingers[q] === 1) this.lingering--;
    else {
      cut(this.keyHeads, this.keyNext, this.keys[q] & (HEADS - 1), q);
      this.perZone[this.zones[q]]--;
    }
    this.free[MAX_QUESTIONS - this.count--] = q;
  }

  private asks(q: number, question: Question): boolean {
    const at = this.offset(q) + HEADER_BYTES;
    const { name } = question;
    const end = this.questionEnds[q];
    if (end !== HEADER_BYTES + name.length + 4) return false;
    for (let i = 0; i < name.length; i++) if (lowerCase(this.bytes[at + i]) !== name.bytes[i]) return false;
    const behind = at + name.length;
    return (
      readU16(this.bytes, behind) === question.type && readU16(this.bytes, behind + 2) === question.qclass
    );
  }

  private append(q: number, deadlineMs: Float64Array): void {
    this.deadlinesMs[q] = deadlineMs[0];
    const lingers = this.lingers[q] === 1;
    const last = lingers ? this.lastLingering : this.last;
    this.previous[q] = last;
    this.next[q] = NONE;
    if (last !== NONE) this.next[last] = q;
    else if (lingers) this.firstLingering = q;
    else this.first = q;
    if (lingers) this.lastLingering = q;
    else this.last = q;
  }

  private unlink(q: number): void {
    const before = this.previous[q];
    const after = this.next[q];
    const lingers = this.lingers[q] === 1;
    if (before !== NONE) this.next[before] = after;
    else if (lingers) this.firstLingering = after;
    else this.first = after;
    if (after !== NONE) this.previous[after] = before;
    else if (lingers) this.lastLingering = before;
    else this.last = before;
  }
}

function idHash(socket: number, id: number): number {
  return ((Math.imul(socket, 0x9e3779b1) >>> 16) ^ id) & (HEADS - 1);
}

function cut(heads: Int16Array, next: Int16Array, head: number, q: number): void {
  if (heads[head] === q) {
    heads[head] = next[q];
    return;
  }
  let at = heads[head];
  while (next[at] !== q) at = next[at];
  next[at] = next[q];
}

/** Relation of a reply's question to the one that was sent. */
export const QuestionMatch = { OTHER: 0, SAME: 1, OTHER_CASE: 2 } as const;
export type QuestionMatch = (typeof QuestionMatch)[keyof typeof QuestionMatch];

/** Compares the question of message[0, length) with that of slot q, case included (0x20). */
export function matchQuestion(
  table: QuestionTable,
  q: number,
  message: Uint8Array,
  length: number,
): QuestionMatch {
  const end = table.questionEnds[q];
  const at = table.offset(q);
  if (length < end) return QuestionMatch.OTHER;
  if (equalBytes(message, HEADER_BYTES, table.bytes, at + HEADER_BYTES, end - HEADER_BYTES)) {
    return QuestionMatch.SAME;
  }
  const nameEnd = end - 4;
  for (let i = HEADER_BYTES; i < nameEnd; i++) {
    if (lowerCase(message[i]) !== lowerCase(table.bytes[at + i])) return QuestionMatch.OTHER;
  }
  return equalBytes(message, nameEnd, table.bytes, at + nameEnd, 4)
    ? QuestionMatch.OTHER_CASE
    : QuestionMatch.OTHER;
}

if (MAX_QUERY_BYTES > STRIDE) throw new RangeError('a slot does not hold the longest query');
