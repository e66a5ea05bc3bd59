import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { AllowlistShare } from '../../allowlist/index.ts';
import type { CatalogShare } from '../../catalog/lookup/index.ts';
import { CounterBlock } from '../../metrics/index.ts';
import type { SocketAddress } from '../../net/index.ts';
import type { CacheShare } from '../../resolver/cache/index.ts';
import {
  closeSocket,
  ENDPOINT_BYTES,
  localPort,
  openUdpSocket,
  PacketBatch,
  SystemCallError,
  startThread,
} from '../../sys/index.ts';
import type { Answerer } from '../answerer.ts';
import { allocateRing, RingReader } from '../defer-ring.ts';
import { ListenError } from '../listen-error.ts';
import type { QueryPolicy } from '../query-state.ts';
import type { RateLimitOptions } from '../rate-limit.ts';
import type { Source } from '../source.ts';
import type { TableUpdate } from '../table-update.ts';
import {
  DEFERRED_ENDPOINT,
  DEFERRED_FAMILY,
  DEFERRED_QUERY,
  DEFERRED_REGISTERED,
  DEFERRED_SOURCE,
  DEFERRED_TIME,
  SLOT_BYTES,
  UDP_TRAITS,
} from './batch-answerer.ts';
import type { UdpEngine } from './engine.ts';
import {
  BATCH_SLOTS,
  MAIL_WORD,
  STOP_WORD,
  type UdpSocketShare,
  type UdpWorkerData,
  WAIT_MS,
} from './worker-data.ts';

/** Room for what a flood of misses leaves between two turns of the resolver's loop: some 8,000 queries. */
const RING_BYTES = 1 << 20;
/** The kernel's queue for a socket: about 20 ms of a flood at full rate. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** It makes no garbage once it runs. */
const YOUNG_GENERATION_MB = 1;

export interface MmsgEngineOptions {
  addresses: readonly SocketAddress[];
  /** Threads, each with a socket of its own for each address. */
  workers: number;
  allowlist: AllowlistShare;
  catalog: CatalogShare;
  cache: CacheShare;
  rateLimit: SharedArrayBuffer;
  rateLimitOptions: RateLimitOptions;
  policy: QueryPolicy;
  /** Answers what the threads defer. */
  answerer: Answerer;
  /** Called with each thread's counters. */
  onCounters(block: CounterBlock): void;
  /** A thread ended by itself: its queries are not answered any more. */
  onFailure(error: Error): void;
}

/** The sockets that answer for one address: a thread's each. */
interface Listener {
  readonly address: SocketAddress;
  readonly packetInfo: boolean;
  readonly fds: number[];
  readonly replies: ReplyQueue;
}

interface UdpThread {
  readonly worker: Worker;
  readonly control: Int32Array;
  readonly mail: MessagePort;
  readonly ring: RingReader;
  readonly exited: Promise<void>;
  /** Updates of the tables that it has taken, in their order. */
  updates: number;
}

/** Threads that block in recvmmsg(2), and the way back for what they defer. */
export class MmsgEngine implements UdpEngine {
  readonly name = 'mmsg';
  private readonly listeners: Listener[] = [];
  private readonly threads: UdpThread[] = [];
  private readonly options: MmsgEngineOptions;
  private stopping = false;
  private updates = 0;
  /** Publishers that wait until every thread has taken their update, the first first. */
  private readonly publishers: { update: number; resolve: () => void }[] = [];

  private constructor(options: MmsgEngineOptions) {
    this.options = options;
  }

  /**
   * Binds all addresses, then starts the threads.
   * @throws ListenError; nothing stays open then.
   */
  static async start(options: MmsgEngineOptions): Promise<MmsgEngine> {
    const engine = new MmsgEngine(options);
    try {
      for (const address of options.addresses) engine.listeners.push(openListener(address, options.workers));
      if (engine.listeners.length === 0) return engine;
      const ready: Promise<void>[] = [];
      for (let index = 0; index < options.workers; index++) ready.push(engine.startThread(index));
      await Promise.all(ready);
      return engine;
    } catch (error) {
      await engine.stop();
      await engine.close();
      throw error;
    }
  }

  get addresses(): readonly SocketAddress[] {
    return this.listeners.map((listener) => listener.address);
  }

  async publish(update: TableUpdate): Promise<void> {
    if (this.threads.length === 0 || this.stopping) return;
    this.updates++;
    const taken = new Promise<void>((resolve) => {
      this.publishers.push({ update: this.updates, resolve });
    });
    for (const thread of this.threads) {
      thread.mail.postMessage(update);
      Atomics.add(thread.control, MAIL_WORD, 1);
    }
    this.settlePublishers();
    await taken;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    for (const thread of this.threads) Atomics.store(thread.control, STOP_WORD, 1);
    await Promise.all(this.threads.map((thread) => thread.exited));
    for (const thread of this.threads) {
      thread.ring.drain((bytes, offset, length) => this.takeDeferred(bytes, offset, length));
      thread.ring.stop();
      thread.mail.close();
    }
  }

  async close(): Promise<void> {
    for (const listener of this.listeners) {
      listener.replies.flush();
      for (const fd of listener.fds) closeSocket(fd);
      listener.fds.length = 0;
    }
  }

  private async startThread(index: number): Promise<void> {
    const { options } = this;
    const counters = new CounterBlock();
    options.onCounters(counters);
    const control = new SharedArrayBuffer(8);
    const ring = allocateRing(RING_BYTES);
    const { port1, port2 } = new MessageChannel();
    const sockets: UdpSocketShare[] = this.listeners.map((listener) => ({
      fd: listener.fds[index],
      packetInfo: listener.packetInfo,
    }));
    const { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy } = options;
    const shared = { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy };
    const workerData: UdpWorkerData = {
      control,
      mail: port2,
      sockets,
      counters: counters.share,
      ring,
      ...shared,
    };
    const worker = startThread(new URL('./worker.ts', import.meta.url), {
      workerData,
      transferList: [port2],
      name: `udp-${index}`,
      youngGenerationMb: YOUNG_GENERATION_MB,
    });
    port1.unref();
    const reader = new RingReader(ring);
    void reader.follow((bytes, offset, length) => this.takeDeferred(bytes, offset, length));
    let ended = (): void => {};
    const exited = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const thread = {
      worker,
      control: new Int32Array(control),
      mail: port1,
      ring: reader,
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
        if (!this.stopping) options.onFailure(error);
      });
      worker.on('exit', () => {
        // It reads no table any more.
        this.countUpdate(thread, Number.POSITIVE_INFINITY);
        ended();
      });
    });
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

  private takeDeferred(bytes: Uint8Array, offset: number, length: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
    const { replies } = this.listeners[bytes[offset]];
    const receivedAt = view.getFloat64(DEFERRED_TIME, true);
    const start = offset + DEFERRED_ENDPOINT;
    const endpoint = bytes.slice(start, start + ENDPOINT_BYTES);
    const query = bytes.slice(offset + DEFERRED_QUERY, offset + length);
    const isRegistered = bytes[offset + DEFERRED_REGISTERED] === 1;
    const word = (index: number): number => view.getUint32(DEFERRED_SOURCE + 4 * index, true);
    const source: Source = {
      family: bytes[offset + DEFERRED_FAMILY] as 4 | 6,
      words: [word(0), word(1), word(2), word(3)],
    };
    this.options.answerer.answerDeferred(query, source, receivedAt, UDP_TRAITS, isRegistered, (reply) => {
      if (reply !== null) replies.add(endpoint, reply);
    });
  }
}

/** Collects replies that are made in one turn of the event loop and sends them in one system call. */
class ReplyQueue {
  private readonly batch: PacketBatch;
  private readonly fds: readonly number[];
  private count = 0;

  /** @param fds sockets of one address: any of them sends with it as the source */
  constructor(fds: readonly number[], packetInfo: boolean) {
    this.fds = fds;
    this.batch = new PacketBatch(BATCH_SLOTS, SLOT_BYTES, packetInfo);
  }

  add(endpoint: Uint8Array, reply: Uint8Array): void {
    if (this.count === 0) setImmediate(() => this.flush());
    const slot = this.count++;
    this.batch.writeEndpoint(slot, endpoint, 0);
    this.batch.data[slot].set(reply);
    this.batch.replyLengths[slot] = reply.length;
    if (this.count === this.batch.slots) this.flush();
  }

  flush(): void {
    const { count } = this;
    this.count = 0;
    if (count > 0 && this.fds.length > 0) this.batch.send(this.fds[0], count);
  }
}

/** The sockets for one address. A first one without SO_REUSEPORT finds out whether another process has it. */
function openListener(address: SocketAddress, workers: number): Listener {
  const { family, bytes } = address.address;
  const packetInfo = bytes.every((octet) => octet === 0);
  const open = (port: number, reusePort: boolean): number =>
    openUdpSocket({
      family,
      address: bytes,
      port,
      reusePort,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      receiveTimeoutMs: WAIT_MS,
      packetInfo,
    });
  const fds: number[] = [];
  try {
    const probe = open(address.port, false);
    const port = localPort(probe);
    closeSocket(probe);
    for (let i = 0; i < workers; i++) fds.push(open(port, true));
    const bound = { address: address.address, port };
    return { address: bound, packetInfo, fds, replies: new ReplyQueue(fds, packetInfo) };
  } catch (error) {
    for (const fd of fds) closeSocket(fd);
    if (error instanceof SystemCallError) throw new ListenError('udp', address, error.code);
    throw error;
  }
}
