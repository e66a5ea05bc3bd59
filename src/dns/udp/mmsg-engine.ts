import type { CounterBlock } from '../../metrics/index.ts';
import { distinctAddresses, type SocketAddress } from '../../net/index.ts';
import { closeSocket } from '../../sys/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { DeferredQueries } from './deferred-queries.ts';
import type { ShieldSocket } from './shield/index.ts';
import type { UdpEngine } from './udp-engine.ts';
import { adoptListeners, type Listener, openListener } from './udp-listener.ts';
import type { UdpSocketHandle, UdpTables } from './udp-thread-data.ts';
import { UdpThreads } from './udp-threads.ts';

export interface MmsgEngineOptions extends UdpTables {
  addresses: readonly SocketAddress[];
  /** Number of threads, each with one socket per address. */
  workers: number;
  /** Answers what the threads defer. */
  deferred: DeferredQueries;
  /** Called with each thread's counters. */
  onCounters(block: CounterBlock): void;
  /** Called when a thread crashed: its queries are no longer answered. */
  onFailure(error: Error): void;
}

/** Threads that receive and send batches with recvmmsg(2) and sendmmsg(2). */
export class MmsgEngine implements UdpEngine {
  readonly name = 'mmsg';
  private readonly listeners: Listener[] = [];
  private readonly deferred: DeferredQueries;
  private readonly threads: UdpThreads;
  /** Number of the sockets that deferred queries are answered from; null until they are open. */
  replySockets: number | null = null;

  private constructor(options: MmsgEngineOptions) {
    this.deferred = options.deferred;
    this.threads = new UdpThreads(options);
  }

  /**
   * Binds all addresses, then starts the threads.
   * @throws ListenError, leaving nothing open
   */
  static async start(options: MmsgEngineOptions): Promise<MmsgEngine> {
    const engine = new MmsgEngine(options);
    const { listeners } = engine;
    try {
      const { addresses, workers } = options;
      const isOpen = ({ fd }: SocketAddress): boolean => fd !== undefined;
      listeners.push(...adoptListeners(addresses.filter(isOpen), workers));
      for (const address of addresses) {
        if (!isOpen(address)) listeners.push(openListener(address, workers));
      }
      engine.replySockets = options.deferred.open(listeners);
      if (listeners.length === 0) return engine;
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
    return distinctAddresses(this.listeners.map(({ address }) => address));
  }

  get sockets(): readonly ShieldSocket[] {
    return this.listeners.flatMap(({ address, fds }) =>
      fds.map((fd) => ({ family: address.address.family, fd })),
    );
  }

  publish(update: TableUpdate): Promise<void> {
    return this.threads.publish(update);
  }

  stop(): Promise<void> {
    return this.threads.stop();
  }

  async close(): Promise<void> {
    if (this.replySockets !== null) await this.deferred.close(this.replySockets);
    for (const listener of this.listeners) {
      for (const fd of listener.fds) closeSocket(fd);
      listener.fds.length = 0;
    }
  }

  private startThread(index: number): Promise<void> {
    const sockets: UdpSocketHandle[] = this.listeners.map(({ fds, packetInfo }) => ({
      fd: fds[index % fds.length],
      packetInfo,
    }));
    const entry = new URL('./udp-worker.ts', import.meta.url);
    return this.threads.start(entry, `udp-${index}`, { sockets }, this.replySockets!);
  }
}
