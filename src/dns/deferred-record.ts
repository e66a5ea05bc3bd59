import type { Family, Source } from '../net/index.ts';
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
 *         8   when it was received: float64, ms of the monotonic clock, little-endian
 *        16   source: four 32-bit words, little-endian (IPv4 uses the first)
 *        32   endpoint, ENDPOINT_BYTES (sys/mmsg-layout.ts)
 *             the query
 *
 * A refresh has kind and query only.
 */
const KIND = 1;
const FAMILY = 2;
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
} as const;
export type DeferredKind = (typeof DeferredKind)[keyof typeof DeferredKind];

/** Receives where a packet came from: PacketBatch.readEndpoint or its like. */
export interface EndpointReader {
  readEndpoint(slot: number, out: Uint8Array, offset: number): void;
}

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
    const { ring, view } = this;
    const at = ring.reserve(QUERY + length);
    if (at < 0) return false;
    const { bytes } = ring;
    bytes[at] = listener;
    bytes[at + KIND] = state.profile === 0 ? DeferredKind.UNREGISTERED : DeferredKind.REGISTERED;
    bytes[at + FAMILY] = state.source.family;
    view.setFloat64(at + RECEIVED, state.clock[0], true);
    for (let word = 0; word < 4; word++)
      view.setInt32(at + SOURCE + 4 * word, state.source.words[word], true);
    endpoints.readEndpoint(slot, bytes, at + ENDPOINT);
    for (let i = 0; i < length; i++) bytes[at + QUERY + i] = message[i];
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
    receivedMs: view.getFloat64(RECEIVED, true),
    source: {
      family: bytes[offset + FAMILY] as Family,
      words: [word(0), word(1), word(2), word(3)],
    },
    endpoint: copyBytes(bytes, offset + ENDPOINT, offset + QUERY),
    query: copyBytes(bytes, offset + QUERY, offset + length),
  };
}
