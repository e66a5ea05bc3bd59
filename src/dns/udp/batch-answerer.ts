import {
  answerCounter,
  Counter,
  QueryPath,
  queryCounter,
  queryDuration,
  Transport,
} from '../../metrics/index.ts';
import type { Family } from '../../net/index.ts';
import { MAX_UDP_REPLY_BYTES, type QueryState, type TransportTraits } from '../answer/query-state.ts';
import type { RingWriter } from '../defer-ring.ts';
import { DeferredRecordWriter } from '../deferred-record.ts';
import { decide } from '../query.ts';
import { DEFERRED, QueryVerdict } from '../verdict.ts';

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

/** Answers batches of packets in place, and hands what it cannot answer to the resolver's thread. */
export class BatchAnswerer {
  private readonly state: QueryState;
  private readonly records: DeferredRecordWriter;
  private readonly clockInto: (out: Float64Array) => void;
  private readonly endClock = new Float64Array(1);
  private readonly fetched = new Int32Array(1);

  constructor(state: QueryState, ring: RingWriter, clockInto: (out: Float64Array) => void) {
    this.state = state;
    this.records = new DeferredRecordWriter(ring);
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
      if (state.wantsRefresh) refreshed += Number(this.records.writeRefresh(state, batch.data[i]));
      batch.replyLengths[i] = state.replyLength;
      counters.increment(answerCounter(Transport.UDP, state.rcode));
    }
    if (deferred + refreshed > 0) this.records.wake();
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

  /** @returns 1, or 0 if the ring is full: the client retries later. */
  private defer(batch: PacketSlots, i: number, listener: number): number {
    const { state } = this;
    const target = listener + batch.targets[i];
    const isWritten = this.records.write(state, batch.data[i], batch.lengths[i], target, batch, i);
    state.counters.increment(isWritten ? Counter.DEFERRED : Counter.DEFER_OVERFLOW);
    return isWritten ? 1 : 0;
  }
}
