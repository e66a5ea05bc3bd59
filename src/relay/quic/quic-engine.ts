import { ListenError, type SocketAddress } from '../../net/index.ts';
import { adoptUdpSocket, closeSocket, isBindError, localPort, openUdpSocket } from '../../sys/index.ts';
import type { RelayCounters } from '../counters.ts';
import { ThreadHandle } from '../epoll/thread-handle.ts';
import { Phase } from '../epoll/thread-messages.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { RelayHandle, RelayUpdate } from '../relay-context.ts';
import type { RelayEngine } from '../relay-engine.ts';
import type { QuicMode } from './quic-context.ts';
import type { QuicThreadData } from './quic-thread-data.ts';

/** Room for clients' datagrams while the thread serves origins. */
const RECEIVE_BUFFER_BYTES = 4 << 20;
/** The thread waits by epoll, so a receive never blocks. */
const RECEIVE_TIMEOUT_MS = 1;

export interface QuicEngineOptions {
  readonly addresses: readonly SocketAddress[];
  readonly mode: QuicMode;
  readonly handle: Omit<RelayHandle, 'counters'>;
  readonly resolver: OriginResolver;
  makeCounters(): RelayCounters;
  /** The thread ended by itself. */
  onFailure(error: Error): void;
}

/** Carries QUIC in a thread of its own, in batches of datagrams. */
export class QuicEngine implements RelayEngine {
  readonly name = 'epoll';
  readonly addresses: SocketAddress[] = [];
  private readonly thread: ThreadHandle;
  private isClosed = false;

  private constructor(thread: ThreadHandle, addresses: readonly SocketAddress[]) {
    this.thread = thread;
    this.addresses.push(...addresses);
  }

  /** @throws ListenError; nothing stays open then */
  static async start(options: QuicEngineOptions): Promise<QuicEngine> {
    const { handle, mode, makeCounters, resolver, onFailure } = options;
    const listeners: number[] = [];
    try {
      for (const address of options.addresses) listeners.push(listen(address));
    } catch (error) {
      for (const fd of listeners) closeSocket(fd);
      throw error;
    }
    const addresses = options.addresses.map(({ address }, i) => ({ address, port: localPort(listeners[i]) }));
    const data: QuicThreadData = { ...handle, mode, listeners, counters: makeCounters().buffer };
    const entry = new URL('./quic-thread.ts', import.meta.url);
    const thread = await ThreadHandle.start({ entry, name: 'relay-quic', data, resolver, onFailure });
    return new QuicEngine(thread, addresses);
  }

  async publish(update: RelayUpdate): Promise<void> {
    await this.thread.publish(update);
  }

  async drain(): Promise<void> {
    this.thread.enter(Phase.DRAINING);
    await this.thread.exited;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.thread.enter(Phase.STOPPING);
    await this.thread.exited;
    this.thread.close();
  }
}

function listen(at: SocketAddress): number {
  const { family, bytes } = at.address;
  try {
    if (at.fd !== undefined) {
      adoptUdpSocket(at.fd, { family, receiveTimeoutMs: RECEIVE_TIMEOUT_MS, packetInfo: true });
      return at.fd;
    }
    return openUdpSocket({
      family,
      address: bytes,
      port: at.port,
      reusePort: false,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      receiveTimeoutMs: RECEIVE_TIMEOUT_MS,
      packetInfo: true,
    });
  } catch (error) {
    if (isBindError(error)) throw new ListenError('relay.quic', at, error.code);
    throw error;
  }
}
