import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import { CounterBlock } from '../../metrics/index.ts';
import type { CacheHandle, TtlLimits } from '../../resolver/cache/index.ts';
import { createForwardHandle, type ForwardHandle } from '../../resolver/forward/index.ts';
import {
  hasSystemDatagrams,
  type Resolved,
  type ResolveRequest,
  ResolverCounters,
  type ResolveWaiter,
  type UpstreamConfig,
  type UpstreamQuirk,
  type UpstreamStatus,
} from '../../resolver/index.ts';
import { RemoteResolver } from '../../resolver/remote/index.ts';
import { startThread } from '../../sys/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { DeferredQueries, ReplySockets } from '../udp/deferred-queries.ts';
import type { UdpTables } from '../udp/udp-thread-data.ts';
import type { ResolverNotice, ResolverOrder, ResolverReport, ResolverThreadData } from './messages.ts';

/** Questions under way die young; a smaller young generation would promote them. */
const YOUNG_GENERATION_MB = 8;

/** An order without its number. */
type Confirmed = Extract<ResolverOrder, { id: number }>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;

export interface ResolverThreadOptions {
  /** At least one. */
  readonly upstreams: readonly UpstreamConfig[];
  readonly cache: CacheHandle;
  /** Name-hash seed; must match the one of the cache's readers. */
  readonly nameSeed: number;
  readonly ttlLimits: TtlLimits;
  /** Lets UDP threads ask upstreams for plain misses by themselves. */
  readonly hasForwarders: boolean;
  /** See ResolverOptions. */
  onQuirk(url: string, quirk: UpstreamQuirk): void;
  /** A bug in this program left a query unanswered. */
  onError(error: unknown): void;
  /** The thread crashed: nothing is resolved any more. */
  onFailure(error: Error): void;
}

/**
 * The resolver in a thread of its own, as the rest of the process uses it. Answers the queries that UDP threads defer,
 * and serves the resolver to other threads through message ports.
 */
export class ResolverThread implements DeferredQueries {
  /** Null: UDP threads hand all misses to the resolver. */
  readonly forward: ForwardHandle | null;
  /** All upstreams so far, in the order of their indexes in ForwardState. */
  private known: readonly UpstreamConfig[];
  /** Counters of queries answered in the thread. */
  readonly counters = new CounterBlock();
  private readonly worker: Worker;
  private readonly local: RemoteResolver;
  private readonly localPort: MessagePort;
  private latest: ResolverReport = { upstreams: [], counters: new ResolverCounters() };
  private readonly waiting = new Map<number, () => void>();
  private readonly exited: Promise<void>;
  private hasExited = false;
  private isClosing = false;
  private nextId = 0;
  private socketSets = 0;
  private rings = 0;

  private constructor(options: ResolverThreadOptions, onReady: () => void) {
    const { upstreams, cache, nameSeed, ttlLimits, hasForwarders } = options;
    this.known = upstreams;
    const forwards = hasForwarders && hasSystemDatagrams();
    this.forward = forwards ? createForwardHandle(upstreams, ttlLimits) : null;
    const data: ResolverThreadData = {
      upstreams,
      cache,
      nameSeed,
      ttlLimits,
      forward: this.forward,
      counters: this.counters.share,
    };
    this.worker = startThread(new URL('./resolver-worker.ts', import.meta.url), {
      name: 'resolver',
      workerData: data,
      youngGenerationMb: YOUNG_GENERATION_MB,
    });
    this.worker.on('message', (notice: ResolverNotice) => {
      if (notice.kind === 'done') this.settle(notice.id);
      else if (notice.kind === 'report') this.latest = notice;
      else if (notice.kind === 'ready') onReady();
      else if (notice.kind === 'quirk') options.onQuirk(notice.url, notice.quirk);
      else options.onError(notice.error);
    });
    this.worker.on('error', (error) => {
      if (!this.isClosing) options.onFailure(error as Error);
    });
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', () => {
        this.hasExited = true;
        for (const id of [...this.waiting.keys()]) this.settle(id);
        resolve();
      });
    });
    this.localPort = this.openPort();
    this.local = new RemoteResolver(this.localPort);
  }

  /** Resolves when the thread takes questions, or has failed. */
  static async start(options: ResolverThreadOptions): Promise<ResolverThread> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const thread = new ResolverThread(options, resolve);
    await Promise.race([promise, thread.exited]);
    return thread;
  }

  /** Opens a port for a RemoteResolver in another thread, which closes it. */
  openPort(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.worker.postMessage({ kind: 'port', port: port1 } satisfies ResolverOrder, [port1]);
    return port2;
  }

  ask(request: ResolveRequest, waiter: ResolveWaiter): void {
    this.local.ask(request, waiter);
  }

  refresh(request: ResolveRequest): void {
    this.local.refresh(request);
  }

  resolve(request: ResolveRequest): Promise<Resolved> {
    return this.local.resolve(request);
  }

  /** State of the upstreams, at most a quarter of a second old. */
  upstreams(): readonly UpstreamStatus[] {
    return this.latest.upstreams;
  }

  /** Fetches the current state and counters. */
  async report(): Promise<ResolverReport> {
    await this.order({ kind: 'report' });
    return this.latest;
  }

  /** Prepares for deferred queries; must precede `open`. */
  serveEdge(tables: UdpTables): void {
    this.post({ kind: 'edge', tables });
  }

  open(sockets: readonly ReplySockets[]): number {
    this.post({ kind: 'open', sockets });
    return this.socketSets++;
  }

  follow(ring: SharedArrayBuffer, sockets: number): number {
    this.post({ kind: 'follow', ring, sockets });
    return this.rings++;
  }

  end(ring: number): Promise<void> {
    return this.order({ kind: 'end', ring });
  }

  close(sockets: number): Promise<void> {
    return this.order({ kind: 'closeSockets', sockets });
  }

  /** Switches to new tables. Resolves when the old ones are no longer read. */
  publish(update: TableUpdate): Promise<void> {
    return this.order({ kind: 'tables', update });
  }

  /**
   * Asks other upstreams from the next question on.
   * @param tellThreads gives UDP threads the upstreams; resolves when they have them
   */
  async useUpstreams(
    upstreams: readonly UpstreamConfig[],
    tellThreads: (known: readonly UpstreamConfig[]) => Promise<void>,
  ): Promise<void> {
    const firstIndex = this.known.length;
    const current = this.known.slice(-this.latest.upstreams.length).map(({ url }) => url);
    if (current.join(' ') === upstreams.map(({ url }) => url).join(' ')) return;
    this.known = [...this.known, ...upstreams];
    await tellThreads(this.known);
    await this.order({ kind: 'upstreams', upstreams, firstIndex });
  }

  /** Resolves when no deferred query waits for an upstream. */
  idle(): Promise<void> {
    return this.order({ kind: 'idle' });
  }

  /** Fails open questions and ends the thread. */
  async stop(): Promise<void> {
    this.isClosing = true;
    this.post({ kind: 'stop' });
    await this.exited;
    this.localPort.close();
  }

  private post(order: ResolverOrder): void {
    this.worker.postMessage(order);
  }

  private order(order: WithoutId<Confirmed>): Promise<void> {
    if (this.hasExited) return Promise.resolve();
    const id = this.nextId++;
    this.post({ ...order, id } as Confirmed);
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  private settle(id: number): void {
    this.waiting.get(id)?.();
    this.waiting.delete(id);
  }
}
