import {
  answerCounter,
  Counter,
  QueryPath,
  QueryVerdict,
  queryCounter,
  queryDuration,
  Transport,
} from '../../metrics/index.ts';
import type { Family } from '../../net/index.ts';
import { ENDPOINT_BYTES } from '../../sys/index.ts';
import { CD_BIT, ExtendedError, HEADER_BYTES, OPT_BYTES, RD_BIT, writeOpt } from '../../wire/index.ts';
import { MAX_UDP_REPLY_BYTES, type QueryState, type TransportTraits } from '../answer/query-state.ts';
import type { RingWriter } from '../defer-ring.ts';
import { DEFERRED, decide } from '../query.ts';

export const UDP_TRAITS: TransportTraits = {
  transport: Transport.UDP,
  spoofable: true,
  encrypted: false,
  maxReplyBytes: MAX_UDP_REPLY_BYTES,
};

/** A slot: longer queries are cut, and then answered FORMERR; every UDP reply fits. */
export const SLOT_BYTES = 2048;

/** A batch as the answerer sees it, wherever its packets come from: received, answered in place, sent. */
export interface PacketSlots {
  /** data[i]: the bytes of slot i: the packet received, then the answer to it. */
  readonly data: readonly Uint8Array[];
  /** Bytes of the packet received in each slot. */
  readonly lengths: Uint32Array;
  /** Bytes of the answer in each slot; 0: none is sent. */
  readonly replyLengths: Uint32Array;
  /** 4 or 6. */
  readonly families: Uint8Array;
  /** Source address: four words a slot in host order; IPv4 uses the first alone. */
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
  /** Which listener each slot's packet came to, counted from the one that the batch is answered for. */
  readonly targets: Uint8Array;
  /** Sends the answers of the first `count` slots; a slot without one is let go. */
  send(fd: number, count: number): void;
  /** Copies where slot i's packet came from and was sent to, as PacketBatch.writeEndpoint takes it. */
  readEndpoint(i: number, out: Uint8Array, offset: number): void;
}

/**
 * A deferred query in the ring:
 *   byte 0 the listener's index, 1 whether the source is registered (or REFRESH), 2 its family, 8 when it was received
 *   (float64, ms of the monotonic clock), 16 the source's words, 32 its endpoint, then the query.
 */
export const DEFERRED_REGISTERED = 1;
/** Instead of that: nobody waits for it, the answer is to be in the cache before the one that is there expires. */
export const REFRESH = 2;
export const DEFERRED_FAMILY = 2;
export const DEFERRED_TIME = 8;
export const DEFERRED_SOURCE = 16;
export const DEFERRED_ENDPOINT = 32;
export const DEFERRED_QUERY = DEFERRED_ENDPOINT + ENDPOINT_BYTES;

/** Answers batches of packets in place, and hands what it cannot answer to the resolver's thread. */
export class BatchAnswerer {
  private readonly state: QueryState;
  private readonly ring: RingWriter;
  private readonly ringView: DataView;
  private readonly clockInto: (out: Float64Array) => void;
  private readonly endClock = new Float64Array(1);
  private readonly fetched = new Int32Array(1);

  constructor(state: QueryState, ring: RingWriter, clockInto: (out: Float64Array) => void) {
    this.state = state;
    this.ring = ring;
    this.ringView = new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.length);
    this.clockInto = clockInto;
  }

  /** Decides on the first `count` slots and sends the answers. @param listener index of the batch's (first) listener */
  answer(batch: PacketSlots, count: number, fd: number, listener: number): void {
    const state = this.state;
    const counters = state.counters;
    state.readClock(this.clockInto);
    if (count > 1) this.fetchSources(batch, count);
    let deferred = 0;
    let refreshed = 0;
    for (let i = 0; i < count; i++) {
      batch.replyLengths[i] = 0;
      if (batch.ports[i] === 0) {
        counters.increment(queryCounter(Transport.UDP, QueryVerdict.DROPPED));
        continue;
      }
      state.source.family = batch.families[i] as Family;
      for (let word = 0; word < 4; word++) state.source.words[word] = batch.addresses[i * 4 + word];
      const outcome = decide(state, batch.data[i], batch.lengths[i], UDP_TRAITS);
      if (outcome === DEFERRED) {
        deferred += this.defer(batch, i, listener);
        continue;
      }
      counters.increment(queryCounter(Transport.UDP, outcome));
      if (state.replyLength === 0) continue;
      if (state.wantsRefresh) refreshed += this.refresh(batch.data[i]);
      batch.replyLengths[i] = state.replyLength;
      counters.increment(answerCounter(Transport.UDP, state.rcode));
    }
    if (deferred + refreshed > 0) this.ring.ring();
    batch.send(fd, count);
    if (deferred === count) return;
    this.clockInto(this.endClock);
    counters.observeBetween(queryDuration(QueryPath.FAST), state.clock, this.endClock, count - deferred);
  }

  /**
   * Reads the place of each source in the list: the processor then waits for the memory of all of them together. One by
   * one, a look-up among a million addresses waits for 0.2 us, among 10 million for 0.4.
   */
  private fetchSources(batch: PacketSlots, count: number): void {
    const { allowlist } = this.state;
    let fetched = 0;
    for (let i = 0; i < count; i++) {
      const word = batch.addresses[i * 4] | 0;
      fetched ^=
        batch.families[i] === 4
          ? allowlist.touch4(word)
          : allowlist.touch6(word, batch.addresses[i * 4 + 1] | 0);
    }
    // A read whose result is not used may be left out by the compiler.
    this.fetched[0] = fetched;
  }

  /** @returns 1, or 0 where the ring is full: the client asks again, by when there may be room. */
  private defer(batch: PacketSlots, i: number, listener: number): number {
    const query = batch.lengths[i];
    const length = DEFERRED_QUERY + query;
    const at = this.ring.reserve(length);
    if (at < 0) {
      this.state.counters.increment(Counter.DEFER_OVERFLOW);
      return 0;
    }
    const bytes = this.ring.bytes;
    bytes[at] = listener + batch.targets[i];
    bytes[at + DEFERRED_REGISTERED] = this.state.profile === 0 ? 0 : 1;
    bytes[at + DEFERRED_FAMILY] = this.state.source.family;
    this.ringView.setFloat64(at + DEFERRED_TIME, this.state.clock[0], true);
    for (let k = 0; k < 4; k++) {
      this.ringView.setInt32(at + DEFERRED_SOURCE + 4 * k, this.state.source.words[k], true);
    }
    batch.readEndpoint(i, bytes, at + DEFERRED_ENDPOINT);
    const data = batch.data[i];
    for (let k = 0; k < query; k++) bytes[at + DEFERRED_QUERY + k] = data[k];
    this.ring.commit(length);
    this.state.counters.increment(Counter.DEFERRED);
    return 1;
  }

  /** Writes the question of a reply as a query that nobody waits for. @returns 1, or 0 where others need the room. */
  private refresh(reply: Uint8Array): number {
    const { ring, state } = this;
    const { end } = state.question;
    const { dnssecOk } = state.edns;
    const length = DEFERRED_QUERY + end + (dnssecOk ? OPT_BYTES : 0);
    const at = ring.isHalfFull ? -1 : ring.reserve(length);
    if (at < 0) return 0;
    const { bytes } = ring;
    bytes[at + DEFERRED_REGISTERED] = REFRESH;
    const query = at + DEFERRED_QUERY;
    for (let k = 0; k < end; k++) bytes[query + k] = reply[k];
    bytes[query + 2] = RD_BIT;
    bytes[query + 3] &= CD_BIT;
    for (let k = 4; k < HEADER_BYTES; k++) bytes[query + k] = 0;
    bytes[query + 5] = 1;
    if (dnssecOk) {
      bytes[query + 11] = 1;
      writeOpt(bytes, query + end, MAX_UDP_REPLY_BYTES, 0, true, ExtendedError.NONE);
    }
    ring.commit(length);
    return 1;
  }
}
