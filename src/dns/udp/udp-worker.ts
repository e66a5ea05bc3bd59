/** A UDP thread: receives, decides and answers in batches until it is told to stop. */
import { workerData } from 'node:worker_threads';
import { PacketBatch, Poller } from '../../sys/index.ts';
import { SLOT_BYTES } from './batch-answerer.ts';
import { BatchPacer } from './batch-pacer.ts';
import { BATCH_SLOTS, type UdpWorkerData, WAIT_MS } from './udp-thread-data.ts';
import { ThreadState } from './udp-thread-state.ts';

function serve(data: UdpWorkerData): void {
  const thread = new ThreadState(data);
  const { answerer } = thread;
  const pacer = new BatchPacer(BATCH_SLOTS);
  const batches = data.sockets.map((socket) => new PacketBatch(BATCH_SLOTS, SLOT_BYTES, socket.packetInfo));
  const poller = data.sockets.length > 1 ? new Poller(data.sockets.map((socket) => socket.fd)) : null;

  const receive = (listener: number, waits: boolean): void => {
    const { fd } = data.sockets[listener];
    const count = batches[listener].receive(fd, waits);
    // After the wait and before the answers: a change is effective for the next query.
    thread.pollUpdates();
    if (count > 0) answerer.answer(batches[listener], count, fd, listener);
    pacer.after(count);
  };

  thread.begin();
  while (thread.goesOn) {
    if (poller === null) receive(0, true);
    else if (poller.wait(WAIT_MS) <= 0) thread.pollUpdates();
    else {
      for (let listener = 0; listener < batches.length; listener++) {
        if (poller.isReady(listener)) receive(listener, false);
      }
    }
  }
}

serve(workerData as UdpWorkerData);
