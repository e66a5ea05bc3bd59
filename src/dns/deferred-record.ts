import type { Family, Source } from '../net/index.ts';
import { Tried } from '../resolver/forward/index.ts';
import { ENDPOINT_BYTES } from '../sys/index.ts';
import {
  CD_BIT,
  copyBytes,
  ExtendedError,
  HEADER_BYTES,
  OPT_BYTES,
  RD_BIT,
  writeOpt,
} from '../wire/index.ts';
import type { QueryState } from './answer/query-state.ts';
import { MAX_UDP_REPLY_BYTES } from './answer/query-state.ts';
import type { RingWriter } from './defer-ring.ts';

/*
 * A deferred query in the ring:
 *
 *   byte  0   index of its listener
 *         1   DeferredKind
 *         2   family of the source, 4 or 6
 *         3   Tried: what a forwarder has done about it; of a late reply DO (1) and CD (2)
 *         8   when it was received: float64, ms of the monotonic clock, little-endian
 *        16   source: four 32-bit words, little-endian (IPv4 uses the first)
 *        32   endpoint, ENDPOINT_BYTES (sys/mmsg-layout.ts)
 *             the query
 *
 * A refresh and a late reply have kind and message only.
 */
const KIND = 1;
const FAMILY = 2;
const TRIED = 3;
const RECEIVED = 8;
const SOURCE = 16;
const ENDPOINT = 32;
const QUERY = ENDPOINT + ENDPOINT_BYTES;

export const DeferredKind = {
  /** A bootstrap name, asked for by an unregistered source. */
  UNREGISTERED: 0,
  REGISTERED: 1,
  /** Prefetch: nobody waits for the answer. */
  REFRESH: 2,
  /** An upstream's late reply to a question that was handed over, instead of a query. */
  LATE_REPLY: 3,
} as const;
export type DeferredKind = (typeof DeferredKind)[keyof typeof DeferredKind];

/** Receives where a packet came from: PacketBatch.readEndpoint or its like. */
export interface EndpointReader {
  readEndpoint(slot: number, out: Uint8Array, offset: number): void;
}

/** Bytes of a record before its query. */
export const DEFERRED_HEADER_BYTES = QUERY;

/**
 * Encodes the query message[0, length) that `state` was decided for, at bytes[at, at + DEFERRED_HEADER_BYTES + length).
 * @param view of the same bytes
 */
export function writeDeferredRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  state: QueryState,
  message: Uint8Array,
  length: number,
  listener: number,
  endpoints: EndpointReader,
  slot: number,
): void {
  const { source, clock } = state;
  bytes[at] = listener;
  bytes[at + KIND] = state.profile === 0 ? DeferredKind.UNREGISTERED : DeferredKind.REGISTERED;
  bytes[at + FAMILY] = source.family;
  bytes[at + TRIED] = Tried.NOTHING;
  view.setFloat64(at + RECEIVED, clock[0], true);
  for (let word = 0; word < 4; word++) view.setInt32(at + SOURCE + 4 * word, source.words[word], true);
  endpoints.readEndpoint(slot, bytes, at + ENDPOINT);
  for (let i = 0; i < length; i++) bytes[at + QUERY + i] = message[i];
}

/**
 * Sets source and time of `state` from the record at bytes[at, ...), without allocation.
 * @param receivedInto receives the time of the query in ms
 */
export function restoreSource(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  state: QueryState,
  receivedInto: Float64Array,
): void {
  const { source } = state;
  source.family = bytes[at + FAMILY] as Family;
  for (let word = 0; word < 4; word++) source.words[word] = view.getInt32(at + SOURCE + 4 * word, true);
  receivedInto[0] = view.getFloat64(at + RECEIVED, true);
}

/** Offset of a record's endpoint, for PacketBatch.writeEndpoint. */
export const DEFERRED_ENDPOINT = ENDPOINT;

/** Encodes deferred queries into a ring. Nothing is allocated. */
export class DeferredRecordWriter {
  private readonly ring: RingWriter;
  private readonly view: DataView;

  constructor(ring: RingWriter) {
    this.ring = ring;
    this.view = new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.length);
  }

  /**
   * Writes the query message[0, length) that `state` was decided for.
   * @returns false if the ring is full
   */
  write(
    state: QueryState,
    message: Uint8Array,
    length: number,
    listener: number,
    endpoints: EndpointReader,
    slot: number,
  ): boolean {
    const { ring } = this;
    const at = ring.reserve(QUERY + length);
    if (at < 0) return false;
    writeDeferredRecord(ring.bytes, this.view, at, state, message, length, listener, endpoints, slot);
    ring.commit(QUERY + length);
    return true;
  }

  /**
   * Writes a copy of the record bytes[from, from + length), with what has been tried.
   * @returns false if the ring is full
   */
  writeTried(bytes: Uint8Array, from: number, length: number, tried: Tried): boolean {
    const { ring } = this;
    const at = ring.reserve(length);
    if (at < 0) return false;
    for (let i = 0; i < length; i++) ring.bytes[at + i] = bytes[from + i];
    ring.bytes[at + TRIED] = tried;
    ring.commit(length);
    return true;
  }

  /**
   * Writes an upstream's reply message[0, length), its question in lower case.
   * @param flags as keyFlags makes them of DO and CD
   * @returns false if the ring is half full
   */
  writeLate(message: Uint8Array, length: number, flags: number): boolean {
    const { ring } = this;
    const at = ring.isHalfFull ? -1 : ring.reserve(QUERY + length);
    if (at < 0) return false;
    ring.bytes[at + KIND] = DeferredKind.LATE_REPLY;
    ring.bytes[at + TRIED] = flags;
    for (let i = 0; i < length; i++) ring.bytes[at + QUERY + i] = message[i];
    ring.commit(QUERY + length);
    return true;
  }

  /**
   * Writes the question of a cached reply as a query without client. `state` holds its question and EDNS.
   * @returns false if the ring is more than half full: waiting clients need the room
   */
  writeRefresh(state: QueryState, reply: Uint8Array): boolean {
    const { ring } = this;
    const { end } = state.question;
    const { dnssecOk } = state.edns;
    const length = QUERY + end + (dnssecOk ? OPT_BYTES : 0);
    const at = ring.isHalfFull ? -1 : ring.reserve(length);
    if (at < 0) return false;
    const { bytes } = ring;
    bytes[at + KIND] = DeferredKind.REFRESH;
    const query = at + QUERY;
    for (let i = 0; i < end; i++) bytes[query + i] = reply[i];
    bytes[query + 2] = RD_BIT;
    bytes[query + 3] &= CD_BIT;
    for (let i = 4; i < HEADER_BYTES; i++) bytes[query + i] = 0;
    bytes[query + 5] = 1;
    if (dnssecOk) {
      bytes[query + 11] = 1;
      writeOpt(bytes, query + end, MAX_UDP_REPLY_BYTES, 0, true, ExtendedError.NONE);
    }
    ring.commit(length);
    return true;
  }

  /** Wakes the reader. Once a batch, because it takes a lock. */
  wake(): void {
    this.ring.ring();
  }
}

/** A deferred query as decoded: all bytes are copies. */
export interface DeferredRecord {
  readonly listener: number;
  readonly kind: DeferredKind;
  readonly tried: Tried;
  /** DO and CD of the question, for a late reply. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly receivedMs: number;
  readonly source: Source;
  /** For ReplyQueue.add. */
  readonly endpoint: Uint8Array;
  readonly query: Uint8Array;
}

/** Decodes the record at bytes[offset, offset + length). */
export function readDeferredRecord(bytes: Uint8Array, offset: number, length: number): DeferredRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
  const word = (index: number): number => view.getUint32(SOURCE + 4 * index, true);
  return {
    listener: bytes[offset],
    kind: bytes[offset + KIND] as DeferredKind,
    tried: bytes[offset + TRIED] as Tried,
    dnssecOk: (bytes[offset + TRIED] & 1) !== 0,
    checkingDisabled: (bytes[offset + TRIED] & 2) !== 0,
    receivedMs: view.getFloat64(RECEIVED, true),
    source: {
      family: bytes[offset + FAMILY] as Family,
      words: [word(0), word(1), word(2), word(3)],
    },
    endpoint: copyBytes(bytes, offset + ENDPOINT, offset + QUERY),
    query: copyBytes(bytes, offset + QUERY, offset + length),
  };
}
