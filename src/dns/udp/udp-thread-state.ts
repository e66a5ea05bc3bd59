import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { AllowlistReader } from '../../allowlist/index.ts';
import { CatalogView } from '../../catalog/lookup/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import { CacheReader } from '../../resolver/cache/index.ts';
import { askForSlice, LoopCounter, monotonicClockInto, settleHeap } from '../../sys/index.ts';
import { QueryState } from '../answer/query-state.ts';
import { RingWriter } from '../defer-ring.ts';
import { DeferredRecordWriter } from '../deferred-record.ts';
import { RateLimiter } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import { BatchAnswerer } from './batch-answerer.ts';
import { STOP_WORD, type UdpThreadData, UPDATE_WORD } from './udp-thread-data.ts';

/** Slice of the processor: longer than a batch takes, so a packet does not wait for another thread's slice. */
const SLICE_US = 300;

/**
 * Tables, answerer and control words of a UDP thread. The thread never returns to its event loop: new tables arrive
 * by a message port, which it reads when the update word has changed.
 */
export class UdpThreadState {
  readonly answerer: BatchAnswerer;
  readonly counters: CounterBlock;
  readonly loop = new LoopCounter();
  private readonly data: UdpThreadData;
  private readonly control: Int32Array;
  readonly state: QueryState;
  readonly records: DeferredRecordWriter;
  private updatePort = 0;

  constructor(data: UdpThreadData) {
    this.data = data;
    this.control = new Int32Array(data.control);
    this.counters = new CounterBlock(data.counters);
    this.state = new QueryState(
      {
        allowlist: new AllowlistReader(data.allowlist),
        catalog: new CatalogView(data.catalog),
        cache: new CacheReader(data.cache),
        rateLimiter: new RateLimiter(data.rateLimit, data.rateLimitOptions, data.policy.seed),
        counters: this.counters,
      },
      data.policy,
    );
    this.records = new DeferredRecordWriter(new RingWriter(data.ring));
    this.answerer = new BatchAnswerer(this.state, this.records, monotonicClockInto());
  }

  /** Reports that the thread takes packets from now on. */
  begin(): void {
    settleHeap();
    askForSlice(SLICE_US);
    parentPort!.postMessage('ready');
  }

  get goesOn(): boolean {
    return Atomics.load(this.control, STOP_WORD) === 0;
  }

  /** Attaches to new tables, and reports it, so that the old ones can be freed. */
  pollUpdates(): void {
    const posted = Atomics.load(this.control, UPDATE_WORD);
    if (posted === this.updatePort) return;
    this.updatePort = posted;
    const { updatePort } = this.data;
    for (
      let next = receiveMessageOnPort(updatePort);
      next !== undefined;
      next = receiveMessageOnPort(updatePort)
    ) {
      const update = next.message as TableUpdate;
      this.state.attach(update);
      this.answerer.forwarder?.attach(update);
      parentPort!.postMessage('attached');
    }
  }
}
