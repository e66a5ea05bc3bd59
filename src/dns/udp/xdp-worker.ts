/**
 * A UDP thread that serves receive queues of a network interface by AF_XDP rings. It works on as long as frames are
 * there, and waits in poll(2) otherwise, which sends what it has answered on its way.
 */
import { workerData } from 'node:worker_threads';
import { XDP_FRAMES } from '../../metrics/index.ts';
import { Poller } from '../../sys/index.ts';
import { FRAME_RESULTS, FrameBatch } from '../../sys/xdp/index.ts';
import { BatchPacer } from './batch-pacer.ts';
import { BATCH_SLOTS, type UdpThreadData, WAIT_MS, type XdpThreadData } from './udp-thread-data.ts';
import { UdpThreadState } from './udp-thread-state.ts';

/** Batches that are answered after the word to stop has come: more than a ring holds. */
const LAST_BATCHES = 128;
/** How soon answers are tried again that the kernel had no memory for. */
const SEND_AGAIN_MS = 1;
/** Waits of a millisecond for the device to send the last answers. */
const LAST_WAITS = 20;

class XdpThread {
  private readonly state: UdpThreadState;
  private readonly batches: readonly FrameBatch[];
  private readonly poller: Poller;
  private readonly pacer = new BatchPacer(BATCH_SLOTS);
  /** Packets of the last pass over the queues. */
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
      const more = this.answerWaiting();
      if (more || this.taken > 0) this.sendOn();
      if (!this.pacer.after(more ? BATCH_SLOTS : this.taken) && !more) this.wait();
    }
    this.finish();
  }

  /** Answers a batch of each queue. @returns whether a queue has more */
  private answerWaiting(): boolean {
    const { batches, state } = this;
    let more = false;
    this.taken = 0;
    for (let i = 0; i < batches.length; i++) {
      const batch = batches[i];
      const count = batch.receive();
      this.taken += count;
      // After the wait and before the answers: a change is effective for the next query.
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
   * poll(2) sends what it can when it begins. What it cannot, for want of memory, is tried again soon. After an idle
   * time it is seen whether the interface is still there: some kernels tell by poll(2), some do not.
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

  /** Answers what is in the rings, and lets it leave: their interface has been told to give them no more. */
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
