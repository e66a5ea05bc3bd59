import type { Prefix, SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { ConnectionBudget, type StreamLimits } from './connection-budget.ts';
import { StreamListeners } from './listeners.ts';
import { probeAddress } from './probe-address.ts';
import type { StreamEngine } from './stream-engine.ts';

export interface LocalStreamsOptions {
  /** Of DNS over TCP; what is encrypted deserves threads of its own. */
  readonly tcp: readonly SocketAddress[];
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly answerer: Answerer;
  /** Secret seed of the budget's hash. */
  readonly seed: number;
  now(): number;
}

/**
 * DNS over TCP on the event loop that starts it, for machines so small that a thread for it would cost more
 * (18 MB) than it brings.
 */
export class LocalStreams implements StreamEngine {
  readonly addresses: StreamEngine['addresses'];
  private readonly listeners: StreamListeners;

  private constructor(tcp: readonly SocketAddress[], listeners: StreamListeners) {
    this.addresses = { tcp, tls: [], https: [] };
    this.listeners = listeners;
  }

  /** @throws ListenError; nothing stays open then. */
  static async start(options: LocalStreamsOptions): Promise<LocalStreams> {
    const { limits, proxies, answerer, seed, now } = options;
    const tcp: SocketAddress[] = [];
    for (const address of options.tcp) tcp.push(await probeAddress('tcp', address));
    const budget = () => new ConnectionBudget(ConnectionBudget.allocate(), limits, seed);
    const listeners = await StreamListeners.start({
      addresses: { tcp, tls: [], https: [] },
      budgets: { tcp: budget(), tls: budget(), https: budget() },
      ...{ answerer, limits, proxies, reusePort: false, identity: null, now },
    });
    return new LocalStreams(tcp, listeners);
  }

  /** The tables are those of the event loop's own thread, which attaches to new ones by itself. */
  async publish(): Promise<void> {}

  useIdentity(_identity: TlsIdentity): void {}

  stop(): Promise<void> {
    return this.listeners.drain();
  }

  close(): Promise<void> {
    return this.listeners.close();
  }
}
