import type { MessagePort, Worker } from 'node:worker_threads';
import { CounterBlock } from '../../metrics/index.ts';
import { ListenError, type Prefix, type SocketAddress, type TlsIdentity } from '../../net/index.ts';
import { startThread } from '../../sys/index.ts';
import type { PrivateNames } from '../private-names/index.ts';
import type { ClaimMessage } from '../private-names/thread-claims.ts';
import type { TableUpdate } from '../table-update.ts';
import { ConnectionBudget, type StreamLimits } from './connection-budget.ts';
import { probeAddress, shareAddresses } from './probe-address.ts';
import type { StreamEngine } from './stream-engine.ts';
import {
  type SharedTables,
  STREAM_KEYS,
  type StreamKey,
  type StreamOrder,
  type StreamReport,
  type StreamWorkerData,
} from './worker-data.ts';

/** Buffers and HTTP objects die young; a smaller young generation would promote them. */
const YOUNG_GENERATION_MB = 8;

export interface StreamThreadsOptions extends SharedTables {
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  /** Number of threads; 1 where sockets cannot share a port (SO_REUSEPORT). */
  readonly workers: number;
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly identity: TlsIdentity | null;
  /** Null: there are no private names. */
  readonly privateNames: PrivateNames | null;
  /** Opens a port to the resolver, for a RemoteResolver in the thread. */
  openResolverPort(): MessagePort;
  /** Called with each thread's counters. */
  onCounters(block: CounterBlock): void;
  /** A bug in this program left a query unanswered. */
  onFault(error: unknown): void;
  /** A thread crashed; its connections are gone. */
  onFailure(error: Error): void;
}

interface StreamThread {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  readonly retired: Promise<void>;
  readonly drained: Promise<void>;
  hasExited: boolean;
  /** Resolvers of `publish` calls, in the order of the updates. */
  readonly attaching: (() => void)[];
}

/** DNS over TCP, TLS and HTTPS on several threads. Each thread listens on all addresses. */
export class StreamThreads implements StreamEngine {
  private readonly options: StreamThreadsOptions;
  private readonly threads: StreamThread[] = [];
  /** Addresses of inherited listeners. */
  private readonly adopted: Record<StreamKey, SocketAddress[]> = { tcp: [], tls: [], https: [] };
  /** Inherited listeners of each thread. */
  private readonly inherited: Record<StreamKey, SocketAddress[]>[];
  private readonly bound: Record<StreamKey, SocketAddress[]> = { tcp: [], tls: [], https: [] };
  private stopping = false;

  private constructor(options: StreamThreadsOptions) {
    this.options = options;
    this.inherited = Array.from({ length: options.workers }, () => ({ tcp: [], tls: [], https: [] }));
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: StreamThreadsOptions): Promise<StreamThreads> {
    const threads = new StreamThreads(options);
    for (const key of STREAM_KEYS) {
      for (const address of options.addresses[key]) {
        if (address.fd === undefined) threads.bound[key].push(await probeAddress(key, address));
      }
      threads.adopt(key);
    }
    if (STREAM_KEYS.every((key) => options.addresses[key].length === 0)) return threads;
    try {
      await threads.startAll();
      return threads;
    } catch (error) {
      await threads.close();
      throw error;
    }
  }

  get addresses(): Readonly<Record<StreamKey, readonly SocketAddress[]>> {
    const { bound, adopted } = this;
    return {
      tcp: [...bound.tcp, ...adopted.tcp],
      tls: [...bound.tls, ...adopted.tls],
      https: [...bound.https, ...adopted.https],
    };
  }

  async publish(update: TableUpdate): Promise<void> {
    if (this.stopping) return;
    const attached = this.threads.map(
      (thread) => new Promise<void>((resolve) => void thread.attaching.push(resolve)),
    );
    this.order({ kind: 'tables', update });
    await Promise.all(attached);
  }

  useIdentity(identity: TlsIdentity): void {
    this.order({ kind: 'identity', identity });
  }

  async retire(): Promise<{ ended: Promise<void> }> {
    this.order({ kind: 'retire' });
    await Promise.all(this.threads.map((thread) => thread.retired));
    const ended = Promise.all(this.threads.map((thread) => thread.drained));
    return { ended: ended.then(() => {}) };
  }

  async stop(): Promise<void> {
    if (!this.stopping) this.order({ kind: 'stop' });
    this.stopping = true;
    await Promise.all(this.threads.map((thread) => thread.drained));
  }

  /** Also ends the threads. */
  async close(): Promise<void> {
    this.stopping = true;
    this.order({ kind: 'close' });
    await Promise.all(this.threads.map((thread) => thread.exited));
  }

  private adopt(key: StreamKey): void {
    const listeners = this.options.addresses[key].filter(({ fd }) => fd !== undefined);
    if (listeners.length === 0) return;
    const { addresses, shares } = shareAddresses(listeners, this.inherited.length);
    this.adopted[key].push(...addresses);
    for (const [index, share] of shares.entries()) this.inherited[index]![key].push(...share);
  }

  private addressesOf(thread: number): Record<StreamKey, SocketAddress[]> {
    const { bound, inherited } = this;
    const { tcp, tls, https } = inherited[thread]!;
    return {
      tcp: [...bound.tcp, ...tcp],
      tls: [...bound.tls, ...tls],
      https: [...bound.https, ...https],
    };
  }

  private order(order: StreamOrder): void {
    for (const thread of this.threads) if (!thread.hasExited) thread.worker.postMessage(order);
  }

  private async answerClaim(worker: Worker, { id, ...claim }: ClaimMessage): Promise<void> {
    const outcome = await this.options.privateNames!.claim(claim);
    worker.postMessage({ kind: 'claimed', id, outcome } satisfies StreamOrder);
  }

  private async startAll(): Promise<void> {
    const { limits, proxies, identity, workers } = this.options;
    const { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy } = this.options;
    const reusePort = workers > 1 && process.platform === 'linux';
    const budgets = {
      tcp: ConnectionBudget.allocate(),
      tls: ConnectionBudget.allocate(),
      https: ConnectionBudget.allocate(),
    };
    const shared = { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy };
    const privateDomain = this.options.privateNames?.domain ?? null;
    const data = {
      ...shared,
      privateDomain,
      budgets,
      limits,
      proxies,
      identity,
      reusePort,
    };
    const ready: Promise<void>[] = [];
    for (let index = 0; index < (reusePort ? workers : 1); index++) {
      const addresses = this.addressesOf(index);
      ready.push(this.startThread(index, { ...data, addresses }));
    }
    await Promise.all(ready);
  }

  private async startThread(
    index: number,
    data: Omit<StreamWorkerData, 'counters' | 'resolver'>,
  ): Promise<void> {
    const { options } = this;
    const counters = new CounterBlock();
    options.onCounters(counters);
    const resolver = options.openResolverPort();
    const workerData: StreamWorkerData = { ...data, counters: counters.share, resolver };
    const worker = startThread(new URL('./worker.ts', import.meta.url), {
      workerData,
      transferList: [resolver],
      name: `stream-${index}`,
      youngGenerationMb: YOUNG_GENERATION_MB,
    });
    const exited = Promise.withResolvers<void>();
    const retired = Promise.withResolvers<void>();
    const drained = Promise.withResolvers<void>();
    const thread: StreamThread = {
      worker,
      exited: exited.promise,
      retired: retired.promise,
      drained: drained.promise,
      hasExited: false,
      attaching: [],
    };
    this.threads.push(thread);
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (report: StreamReport) => {
        if (report.kind === 'ready') resolve();
        else if (report.kind === 'attached') thread.attaching.shift()?.();
        else if (report.kind === 'retired') retired.resolve();
        else if (report.kind === 'drained') drained.resolve();
        else if (report.kind === 'claim') void this.answerClaim(worker, report.claim);
        else if (report.kind === 'error') options.onFault(report.error);
        else reject(new ListenError(report.key, report.address, report.errno));
      });
      worker.on('error', (error) => {
        reject(error);
        if (!this.stopping) options.onFailure(error as Error);
      });
      worker.on('exit', () => {
        thread.hasExited = true;
        // A thread that has ended uses no table: `publish` need not wait for it.
        for (const attached of thread.attaching.splice(0)) attached();
        retired.resolve();
        drained.resolve();
        exited.resolve();
      });
    });
  }
}
