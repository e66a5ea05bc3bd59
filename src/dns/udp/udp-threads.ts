import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { CounterBlock } from '../../metrics/index.ts';
import { startThread } from '../../sys/index.ts';
import { allocateRing } from '../defer-ring.ts';
import type { TableUpdate } from '../table-update.ts';
import type { DeferredQueries } from './deferred-queries.ts';
import { STOP_WORD, type UdpTables, type UdpThreadData, UPDATE_WORD } from './udp-thread-data.ts';

/** Room for about 8,000 queries: a flood of misses between two turns of the resolver's loop. */
const RING_BYTES = 1 << 20;
/** A UDP thread makes next to no garbage once it runs. */
const YOUNG_GENERATION_MB = 1;

export interface UdpThreadsOptions extends UdpTables {
  /** Called with each thread's counters. */
  onCounters(block: CounterBlock): void;
  /** Called when a thread crashed: its queries are no longer answered. */
  onFailure(error: Error): void;
  /** Answers what the threads defer. */
  readonly deferred: DeferredQueries;
}

interface UdpThread {
  readonly worker: Worker;
  readonly control: Int32Array;
  readonly updatePort: MessagePort;
  /** Number of its ring. */
  readonly ring: number;
  readonly exited: Promise<void>;
  /** Table updates that it has attached, in order. */
  updates: number;
}

/** UDP threads as their owner sees them: start, publish tables, stop. */
export class UdpThreads {
  private readonly options: UdpThreadsOptions;
  private readonly threads: UdpThread[] = [];
  private stopping = false;
  private started = 0;
  private updates = 0;
  /** Publishers that wait until all threads have attached, first come first. */
  private readonly publishers: { update: number; resolve: () => void }[] = [];

  constructor(options: UdpThreadsOptions) {
    this.options = options;
  }

  /**
   * Starts a thread.
   * @param own data for its entry besides UdpThreadData
   * @param replySockets number of the sockets that its deferred queries are answered from
   * @returns a promise that resolves when it takes packets
   */
  async start(entry: URL, name: string, own: object, replySockets: number): Promise<void> {
    const { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy, forward, ...on } = this.options;
    const counters = new CounterBlock();
    on.onCounters(counters);
    const control = new SharedArrayBuffer(8);
    const index = this.started++;
    const ring = allocateRing(RING_BYTES);
    const { port1, port2 } = new MessageChannel();
    const tables: UdpTables = { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy, forward };
    const data: UdpThreadData = {
      control,
      updatePort: port2,
      counters: counters.share,
      ring,
      index,
      ...tables,
    };
    const worker = startThread(entry, {
      workerData: { ...data, ...own },
      transferList: [port2],
      name,
      youngGenerationMb: YOUNG_GENERATION_MB,
    });
    port1.unref();
    let ended = (): void => {};
    const exited = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const thread = {
      worker,
      control: new Int32Array(control),
      updatePort: port1,
      ring: on.deferred.follow(ring, replySockets),
      exited,
      updates: 0,
    };
    this.threads.push(thread);
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (message) => {
        if (message === 'ready') resolve();
        else this.countUpdate(thread, 1);
      });
      worker.on('error', (error) => {
        reject(error);
        if (!this.stopping) on.onFailure(error);
      });
      worker.on('exit', () => {
        // An ended thread reads no tables.
        this.countUpdate(thread, Number.POSITIVE_INFINITY);
        ended();
      });
    });
  }

  /** Publishes new tables. Effective from each thread's next query; resolves once all have attached. */
  async publish(update: TableUpdate): Promise<void> {
    if (this.threads.length === 0 || this.stopping) return;
    this.updates++;
    const taken = new Promise<void>((resolve) => {
      this.publishers.push({ update: this.updates, resolve });
    });
    for (const thread of this.threads) {
      thread.updatePort.postMessage(update);
      Atomics.add(thread.control, UPDATE_WORD, 1);
    }
    this.settlePublishers();
    await taken;
  }

  /** Ends all threads. Resolves once their deferred queries are handed over. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const thread of this.threads) Atomics.store(thread.control, STOP_WORD, 1);
    await Promise.all(this.threads.map((thread) => thread.exited));
    await Promise.all(this.threads.map(({ ring }) => this.options.deferred.end(ring)));
    for (const { updatePort } of this.threads) updatePort.close();
  }

  private countUpdate(thread: UdpThread, taken: number): void {
    thread.updates += taken;
    this.settlePublishers();
  }

  private settlePublishers(): void {
    const { publishers } = this;
    const taken = Math.min(...this.threads.map((thread) => thread.updates));
    while (publishers.length > 0 && publishers[0].update <= taken) publishers.shift()!.resolve();
  }
}
