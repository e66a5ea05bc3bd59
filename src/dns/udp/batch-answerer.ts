import {
  answerCounter,
  Counter,
  QueryPath,
  QueryVerdict,
  queryCounter,
  queryDuration,
  Transport,
} from '../../metrics/index.ts';
import type { PacketBatch } from '../../sys/index.ts';
import { ENDPOINT_BYTES } from '../../sys/index.ts';
import type { RingWriter } from '../defer-ring.ts';
import { DEFERRED, decide } from '../query.ts';
import { MAX_UDP_REPLY_BYTES, type QueryState, type TransportTraits } from '../query-state.ts';

export const UDP_TRAITS: TransportTraits = {
  transport: Transport.UDP,
  spoofable: true,
  encrypted: false,
  maxReplyBytes: MAX_UDP_REPLY_BYTES,
};

/** A slot: longer queries are cut, and then answered FORMERR; every UDP reply fits. */
export const SLOT_BYTES = 2048;

/**
 * A deferred query in the ring:
 *   octet 0 the listener's index, 1 whether the source is registered, 2 its family, 8 when it was received
 *   (float64, ms of the monotonic clock), 16 the source's words, 32 its endpoint, then the query.
 */
export const DEFERRED_REGISTERED = 1;
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

  constructor(state: QueryState, ring: RingWriter, clockInto: (out: Float64Array) => void) {
    this.state = state;
    this.ring = ring;
    this.ringView = new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.length);
    this.clockInto = clockInto;
  }

  /** Decides on the first `count` slots and sends the answers. @param listener index of the socket's listener */
  answer(batch: PacketBatch, count: number, fd: number, listener: number): void {
    const state = this.state;
    const counters = state.counters;
    state.readClock(this.clockInto);
    let deferred = 0;
    for (let i = 0; i < count; i++) {
      batch.replyLengths[i] = 0;
      if (batch.ports[i] === 0) {
        counters.increment(queryCounter(Transport.UDP, QueryVerdict.DROPPED));
        continue;
      }
      state.family = batch.families[i];
      for (let word = 0; word < 4; word++) state.source[word] = batch.addresses[i * 4 + word];
      const outcome = decide(state, batch.data[i], batch.lengths[i], UDP_TRAITS);
      if (outcome === DEFERRED) {
        deferred += this.defer(batch, i, listener);
        continue;
      }
      counters.increment(queryCounter(Transport.UDP, outcome));
      if (state.replyLength === 0) continue;
      batch.replyLengths[i] = state.replyLength;
      counters.increment(answerCounter(Transport.UDP, state.rcode));
    }
    if (deferred > 0) this.ring.ring();
    if (deferred === count) return;
    batch.send(fd, count);
    this.clockInto(this.endClock);
    counters.observeBetween(queryDuration(QueryPath.FAST), state.clock, this.endClock, count - deferred);
  }

  /** @returns 1, or 0 where the ring is full: the client asks again, by when there may be room. */
  private defer(batch: PacketBatch, i: number, listener: number): number {
    const query = batch.lengths[i];
    const length = DEFERRED_QUERY + query;
    const at = this.ring.reserve(length);
    if (at < 0) {
      this.state.counters.increment(Counter.DEFER_OVERFLOW);
      return 0;
    }
    const bytes = this.ring.bytes;
    bytes[at] = listener;
    bytes[at + DEFERRED_REGISTERED] = this.state.profile === 0 ? 0 : 1;
    bytes[at + DEFERRED_FAMILY] = this.state.family;
    this.ringView.setFloat64(at + DEFERRED_TIME, this.state.clock[0], true);
    for (let k = 0; k < 4; k++) {
      this.ringView.setInt32(at + DEFERRED_SOURCE + 4 * k, this.state.source[k], true);
    }
    batch.readEndpoint(i, bytes, at + DEFERRED_ENDPOINT);
    const data = batch.data[i];
    for (let k = 0; k < query; k++) bytes[at + DEFERRED_QUERY + k] = data[k];
    this.ring.commit(length);
    this.state.counters.increment(Counter.DEFERRED);
    return 1;
  }
}
