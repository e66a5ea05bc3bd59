import { distinctAddresses, type Prefix, type SocketAddress, type TlsIdentity } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import { ConnectionBudget, type StreamLimits } from './connection-budget.ts';
import { StreamListeners } from './listeners.ts';
import { probeAddress } from './probe-address.ts';
import type { StreamEngine } from './stream-engine.ts';

export interface LocalStreamsOptions {
  /** Addresses for DNS over TCP. TLS and HTTPS always get threads. */
  readonly tcp: readonly SocketAddress[];
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly answerer: Answerer;
  /** Secret seed for the budget's hash. */
  readonly seed: number;
  now(): number;
}

/**
 * DNS over TCP on the caller's event loop, for machines that are too small for another thread (18 MB).
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
    for (const address of options.tcp) {
      tcp.push(address.fd === undefined ? await probeAddress('tcp', address) : address);
    }
    const budget = () => new ConnectionBudget(ConnectionBudget.allocate(), limits, seed);
    const listeners = await StreamListeners.start({
      addresses: { tcp, tls: [], https: [] },
      budgets: { tcp: budget(), tls: budget(), https: budget() },
      answerer,
      limits,
      proxies,
      reusePort: false,
      identity: null,
      privateNames: null,
      now,
    });
    return new LocalStreams(distinctAddresses(tcp), listeners);
  }

  /** Nothing to do: the answerer is the caller's, which attaches to new tables itself. */
  async publish(): Promise<void> {}

  useIdentity(_identity: TlsIdentity): void {}

  async retire(): Promise<{ ended: Promise<void> }> {
    return { ended: this.listeners.retire() };
  }

  stop(): Promise<void> {
    return this.listeners.drain();
  }

  close(): Promise<void> {
    return this.listeners.close();
  }
}
