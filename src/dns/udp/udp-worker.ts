/**
 * UDP thread: receives, decides and answers in batches, and asks upstreams for plain misses, until it is told to
 * stop.
 */
import { randomFillSync } from 'node:crypto';
import { workerData } from 'node:worker_threads';
import { MAX_FORWARDERS } from '../../resolver/forward/index.ts';
import { Epoll, EpollEvent, monotonicClockInto, PacketBatch, Poller } from '../../sys/index.ts';
import { BatchPacer, FORWARD_PACE } from './batch-pacer.ts';
import { MissForwarder } from './forward/miss-forwarder.ts';
import { BATCH_SLOTS, type UdpWorkerData, WAIT_MS } from './udp-thread-data.ts';
import { UdpThreadState } from './udp-thread-state.ts';
import { SLOT_BYTES } from './udp-traits.ts';

/** Most events of one wait. */
const EVENTS = 64;

class UdpThread {
  private readonly data: UdpWorkerData;
  private readonly thread: UdpThreadState;
  private readonly fds: readonly number[];
  private readonly batches: readonly PacketBatch[];
  private readonly pacer = new BatchPacer(BATCH_SLOTS);
  private readonly forwardPacer = new BatchPacer(EVENTS, FORWARD_PACE);
  private readonly poller: Poller | null;
  private readonly epoll = new Epoll(EVENTS);
  private readonly forwarder: MissForwarder | null;

  constructor(data: UdpWorkerData) {
    this.data = data;
    this.thread = new UdpThreadState(data);
    this.fds = data.sockets.map(({ fd }) => fd);
    this.batches = data.sockets.map(({ packetInfo }) => new PacketBatch(BATCH_SLOTS, SLOT_BYTES, packetInfo));
    this.poller = this.fds.length > 1 ? new Poller(this.fds) : null;
    for (const [listener, fd] of this.fds.entries()) this.epoll.add(fd, EpollEvent.IN, listener);
    this.forwarder = this.createForwarder();
    this.thread.answerer.forwarder = this.forwarder;
  }

  serve(): void {
    const { thread, forwarder } = this;
    thread.begin();
    while (thread.goesOn) {
      thread.loop.turn();
      if (forwarder?.isWaiting) this.waitForBoth(forwarder);
      else this.waitForClients();
    }
    forwarder?.close();
    this.epoll.close();
  }

  /** Without outstanding questions: one system call waits and receives. */
  private waitForClients(): void {
    const { poller, thread, fds } = this;
    if (poller === null) {
      const count = this.receive(0, true);
      if (count === 0) this.clear();
      this.pacer.after(count);
    } else if (poller.wait(WAIT_MS) <= 0) {
      thread.pollUpdates();
      this.clear();
    } else {
      for (let listener = 0; listener < fds.length; listener++) {
        if (poller.isReady(listener)) this.pacer.after(this.receive(listener, false));
      }
    }
  }

  /** Idle: nothing of the last packets stays in memory. */
  private clear(): void {
    for (let i = 0; i < this.batches.length; i++) this.batches[i].clear();
    this.forwarder?.clear();
  }

  /** Waits for clients and upstreams together. */
  private waitForBoth(forwarder: MissForwarder): void {
    const { epoll, fds, thread } = this;
    const count = epoll.wait(forwarder.waitMs(WAIT_MS));
    if (count === 0) thread.pollUpdates();
    let packets = 0;
    for (let i = 0; i < count; i++) {
      const tag = epoll.dataAt(i);
      if (tag < fds.length) packets += this.receive(tag, false);
      else packets += forwarder.receive(tag - fds.length, epoll.eventsAt(i));
    }
    forwarder.finishTurn(count < EVENTS);
    this.forwardPacer.after(packets);
  }

  /** @returns packets received */
  private receive(listener: number, waits: boolean): number {
    const { thread, batches, fds, forwarder } = this;
    // Forwarded answers of this turn lie in the slots that the packets are received into.
    if (forwarder !== null) forwarder.sendAnswersOf(listener);
    const count = batches[listener].receive(fds[listener], waits);
    // After the wait and before the answers, so that a change applies to the next query.
    thread.pollUpdates();
    if (count > 0) thread.answerer.answer(batches[listener], count, fds[listener], listener);
    return count;
  }

  private createForwarder(): MissForwarder | null {
    const { forward, cache, index } = this.data;
    if (forward === null || index >= MAX_FORWARDERS) return null;
    const { state, records } = this.thread;
    return new MissForwarder({
      state,
      records,
      cache,
      forward,
      index,
      listeners: { fds: this.fds, batches: this.batches },
      epoll: this.epoll,
      firstTag: this.fds.length,
      fillRandom: randomFillSync,
      clockInto: monotonicClockInto(),
    });
  }
}

new UdpThread(workerData as UdpWorkerData).serve();
