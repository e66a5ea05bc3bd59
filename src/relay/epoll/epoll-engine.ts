import { formatSocketAddress, ListenError, type SocketAddress } from '../../net/index.ts';
import { closeSocket, listenTcp, SystemCallError, shareListeners, sharePort } from '../../sys/index.ts';
import type { RelayCounters } from '../counters.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { OwnConnection } from '../own-connection.ts';
import type { RelayHandle, RelayUpdate } from '../relay-context.ts';
import type { RelayEngine } from '../relay-engine.ts';
import type { RelayThreadData } from './relay-thread-data.ts';
import { ThreadHandle } from './thread-handle.ts';
import { Phase } from './thread-messages.ts';

const BACKLOG = 4096;

export interface EpollEngineOptions {
  /** TLS listeners. */
  readonly addresses: readonly SocketAddress[];
  readonly threads: number;
  readonly handle: Omit<RelayHandle, 'counters'>;
  readonly resolver: OriginResolver;
  /** Makes the counters of one thread. */
  makeCounters(): RelayCounters;
  /** Takes connections for names of our own. */
  onOwn(connection: OwnConnection): void;
  /** A thread ended by itself. */
  onFailure(error: Error): void;
}

/** Carries TLS in threads, each with its own SO_REUSEPORT socket per listener. */
export class EpollEngine implements RelayEngine {
  readonly name = 'epoll';
  readonly addresses: SocketAddress[] = [];
  private threads: ThreadHandle[] = [];

  private constructor() {}

  /** @throws ListenError; nothing stays open then */
  static async start(options: EpollEngineOptions): Promise<EpollEngine> {
    const engine = new EpollEngine();
    const { threads, handle, resolver, makeCounters, onOwn, onFailure } = options;
    /** Descriptors of each address and thread. */
    const listeners: number[][][] = [];
    try {
      for (const sockets of Map.groupBy(options.addresses, formatKey).values()) {
        const { address } = sockets[0]!;
        const { port, fds } = openListeners(sockets, threads);
        listeners.push(fds);
        engine.addresses.push({ address, port });
      }
    } catch (error) {
      for (const fd of listeners.flat(2)) closeSocket(fd);
      throw error;
    }
    const entry = new URL('./relay-thread.ts', import.meta.url);
    const connections = Math.ceil(handle.policy.limits.connections / threads);
    const started = Array.from({ length: threads }, (_, index) => {
      const own = { listeners: listeners.flatMap((fds) => fds[index]!), connections };
      const data: RelayThreadData = { ...handle, ...own, counters: makeCounters().buffer };
      return ThreadHandle.start({ entry, name: `relay-${index}`, data, resolver, onOwn, onFailure });
    });
    engine.threads = await Promise.all(started);
    return engine;
  }

  async publish(update: RelayUpdate): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.publish(update)));
  }

  async drain(): Promise<void> {
    await this.end(Phase.DRAINING);
  }

  async close(): Promise<void> {
    await this.end(Phase.STOPPING);
    for (const thread of this.threads.splice(0)) thread.close();
  }

  private async end(phase: Phase): Promise<void> {
    for (const thread of this.threads) thread.enter(phase);
    await Promise.all(this.threads.map(({ exited }) => exited));
  }
}

/** Opens a listener for each thread, or shares inherited ones among them. */
function openListeners(
  [address, ...more]: readonly SocketAddress[],
  threads: number,
): { port: number; fds: number[][] } {
  if (address.fd !== undefined) {
    return {
      port: address.port,
      fds: shareListeners(
        [address, ...more].map(({ fd }) => fd!),
        threads,
      ),
    };
  }
  const open = (port: number, reusePort: boolean) =>
    listenTcp(address.address, port, reusePort ? BACKLOG : 1, reusePort);
  try {
    const { port, fds } = sharePort(open, address.port, threads);
    return { port, fds: fds.map((fd) => [fd]) };
  } catch (error) {
    if (error instanceof SystemCallError) throw new ListenError('relay.tls', address, error.code);
    throw error;
  }
}

/** Inherited sockets of one address belong together; addresses to bind do not. */
function formatKey(address: SocketAddress, index: number): string {
  return address.fd === undefined ? `${index}` : formatSocketAddress(address);
}
