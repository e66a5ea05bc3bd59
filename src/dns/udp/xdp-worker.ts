/**
 * UDP thread for receive queues of a network interface (AF_XDP rings). Works while there are frames, else waits in
 * poll(2), which also makes the kernel send the answers.
 */
import { workerData } from 'node:worker_threads';
import { XDP_FRAMES } from '../../metrics/index.ts';
import { Poller } from '../../sys/index.ts';
import { FRAME_RESULTS, FrameBatch } from '../../sys/xdp/index.ts';
import { BatchPacer } from './batch-pacer.ts';
import { BATCH_SLOTS, type UdpThreadData, WAIT_MS, type XdpThreadData } from './udp-thread-data.ts';
import { UdpThreadState } from './udp-thread-state.ts';

/** Batches to answer after the order to stop: more than a ring holds. */
const LAST_BATCHES = 128;
/** Delay before answers are sent again that the kernel had no memory for. */
const SEND_AGAIN_MS = 1;
/** Waits of 1 ms for the device to send the last answers. */
const LAST_WAITS = 20;

class XdpThread {
  private readonly state: UdpThreadState;
  private readonly batches: readonly FrameBatch[];
  private readonly poller: Poller;
  private readonly pacer = new BatchPacer(BATCH_SLOTS);
  /** Packets in the last pass over the queues. */
  private taken = 0;

  constructor(data: UdpThreadData & XdpThreadData) {
    this.state = new UdpThreadState(data);
    const tally = this.state.counters.values.subarray(XDP_FRAMES, XDP_FRAMES + FRAME_RESULTS);
    this.batches = data.sockets.map((socket) => new FrameBatch(socket, data.targets, BATCH_SLOTS, tally));
    this.poller = new Poller(this.batches.map((batch) => batch.fd));
  }

  serve(): void {
    const { state } = this;
    state.begin();
    while (state.goesOn) {
      state.loop.turn();
      const more = this.answerWaiting();
      if (more || this.taken > 0) this.sendOn();
      if (!this.pacer.after(more ? BATCH_SLOTS : this.taken) && !more) this.wait();
    }
    this.finish();
  }

  /** Answers a batch of each queue. @returns true if a queue has more */
  private answerWaiting(): boolean {
    const { batches, state } = this;
    let more = false;
    this.taken = 0;
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i];
      const count = batch.receive();
      this.taken += count;
      // After the wait and before the answers, so that a change applies to the next query.
      state.pollUpdates();
      if (count > 0) state.answerer.answer(batch, count, batch.fd, 0);
      more = batch.hasFrames() || more;
    }
    return more;
  }

  private sendOn(): void {
    const { batches } = this;
    for (let i = 0; i < batches.length; i++) {
      batches[i].flush(false);
      batches[i].wake();
    }
  }

  /**
   * Waits in poll(2), which first sends what it can. Retries soon if the kernel lacked memory. After an idle wait,
   * checks that the interface still exists: only some kernels report that by poll(2).
   */
  private wait(): void {
    const { batches, poller } = this;
    let pending = 0;
    for (let i = 0; i < batches.length; i++) pending += batches[i].flush(true);
    const ready = poller.wait(pending > 0 ? SEND_AGAIN_MS : WAIT_MS);
    if (ready > 0 ? poller.hasFailed() : pending === 0) {
      for (let i = 0; i < batches.length; i++) batches[i].checkDevice();
    }
  }

  /** Answers what is left in the rings, and waits until it is sent. The interface gives them no more packets. */
  private finish(): void {
    for (let batch = 0; batch < LAST_BATCHES && this.answerWaiting(); batch++) this.sendOn();
    for (let wait = 0; wait < LAST_WAITS; wait++) {
      let pending = 0;
      for (const batch of this.batches) pending += batch.flush(false);
      if (pending === 0) return;
      this.poller.wait(1);
    }
  }
}

new XdpThread(workerData as UdpThreadData & XdpThreadData).serve();
