/**
 * A UDP thread: receives, decides and answers in batches until it is told to stop. It never returns to its
 * event loop; new tables reach it by a message port that it looks into when the mail word has changed.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { AllowlistReader } from '../../allowlist/index.ts';
import { CatalogView } from '../../catalog/lookup/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import { CacheReader } from '../../resolver/cache/index.ts';
import { monotonicClockInto, PacketBatch, Poller, settleHeap } from '../../sys/index.ts';
import { RingWriter } from '../defer-ring.ts';
import { QueryState } from '../query-state.ts';
import { RateLimiter } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import { BatchAnswerer, SLOT_BYTES } from './batch-answerer.ts';
import { BATCH_SLOTS, MAIL_WORD, STOP_WORD, type UdpWorkerData, WAIT_MS } from './worker-data.ts';

function serve(data: UdpWorkerData): void {
  const control = new Int32Array(data.control);
  const state = new QueryState(
    {
      allowlist: new AllowlistReader(data.allowlist),
      catalog: new CatalogView(data.catalog),
      cache: new CacheReader(data.cache),
      rateLimiter: new RateLimiter(data.rateLimit, data.rateLimitOptions, data.policy.seed),
      counters: new CounterBlock(data.counters),
    },
    data.policy,
  );
  const answerer = new BatchAnswerer(state, new RingWriter(data.ring), monotonicClockInto());
  const batches = data.sockets.map((socket) => new PacketBatch(BATCH_SLOTS, SLOT_BYTES, socket.packetInfo));
  const poller = data.sockets.length > 1 ? new Poller(data.sockets.map((socket) => socket.fd)) : null;
  let mail = 0;

  const lookIntoMail = (): void => {
    const posted = Atomics.load(control, MAIL_WORD);
    if (posted === mail) return;
    mail = posted;
    takeMail(data.mail, state);
  };
  const receive = (listener: number, waits: boolean): void => {
    const { fd } = data.sockets[listener];
    const count = batches[listener].receive(fd, waits);
    // After the wait and before the answers: a change is effective for the next query.
    lookIntoMail();
    if (count > 0) answerer.answer(batches[listener], count, fd, listener);
  };

  settleHeap();
  parentPort!.postMessage('ready');
  while (Atomics.load(control, STOP_WORD) === 0) {
    if (poller === null) receive(0, true);
    else if (poller.wait(WAIT_MS) <= 0) lookIntoMail();
    else {
      for (let listener = 0; listener < batches.length; listener++) {
        if (poller.isReady(listener)) receive(listener, false);
      }
    }
  }
}

/** Attaches to the tables that were posted, and says so: the old ones may then be let go. */
function takeMail(port: MessagePort, state: QueryState): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const update = next.message as TableUpdate;
    state.attach(update);
    parentPort!.postMessage('attached');
  }
}

serve(workerData as UdpWorkerData);
