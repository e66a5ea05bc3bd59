import type { Prefix, SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import type { HttpsListener } from '../https/listener.ts';
import { startTcpListener } from '../tcp/listener.ts';
import type { TlsListener } from '../tls/listener.ts';
import type { ConnectionBudget, StreamLimits } from './connection-budget.ts';
import { Outbox } from './outbox.ts';
import type { StreamServer } from './stream-server.ts';
import type { StreamKey } from './worker-data.ts';

export interface StreamListenersOptions {
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  readonly budgets: Readonly<Record<StreamKey, ConnectionBudget>>;
  readonly answerer: Answerer;
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly reusePort: boolean;
  /** Needed for tls and https. */
  readonly identity: TlsIdentity | null;
  now(): number;
}

/** The listeners of one thread. */
export class StreamListeners {
  private readonly servers: StreamServer[] = [];
  private tls: TlsListener | null = null;
  private https: HttpsListener | null = null;

  private constructor() {}

  /** @throws ListenError; nothing stays open then. */
  static async start(options: StreamListenersOptions): Promise<StreamListeners> {
    const listeners = new StreamListeners();
    try {
      await listeners.open(options);
    } catch (error) {
      await listeners.close();
      throw error;
    }
    return listeners;
  }

  useIdentity(identity: TlsIdentity): void {
    this.tls?.useIdentity(identity);
    this.https?.useIdentity(identity);
  }

  /** Accepts no more; resolves when what was asked has been answered and all connections have ended. */
  async drain(): Promise<void> {
    const empty = this.servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.onEmpty = resolve;
          server.stop();
          if (server.openConnections === 0) resolve();
        }),
    );
    await Promise.all(empty);
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }

  /** What a thread has no use for it does not load. */
  private async open(options: StreamListenersOptions): Promise<void> {
    const { addresses, budgets, identity, answerer, limits, proxies, reusePort, now } = options;
    const common = { answerer, limits, proxies, reusePort, outbox: new Outbox(), now };
    if (addresses.tcp.length > 0) {
      const { tcp } = budgets;
      this.servers.push(await startTcpListener({ ...common, addresses: addresses.tcp, budget: tcp }));
    }
    if (addresses.tls.length > 0) {
      const { TlsListener } = await import('../tls/listener.ts');
      const of = { ...common, addresses: addresses.tls, budget: budgets.tls, identity: identity! };
      this.tls = await TlsListener.start(of);
      this.servers.push(this.tls.server);
    }
    if (addresses.https.length > 0) {
      const { HttpsListener } = await import('../https/listener.ts');
      const of = { ...common, addresses: addresses.https, budget: budgets.https, identity: identity! };
      this.https = await HttpsListener.start(of);
      this.servers.push(this.https.server);
    }
  }
}
