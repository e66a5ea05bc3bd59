import type { Prefix, SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import type { PrivateNames } from '../private-names/index.ts';
import { startTcpListener } from '../tcp/listener.ts';
import type { ConnectionBudget, StreamLimits } from './connection-budget.ts';
import { Outbox } from './outbox.ts';
import type { StreamServer } from './stream-server.ts';
import type { TlsServer } from './tls-server.ts';
import type { StreamKey } from './worker-data.ts';

interface StreamListenersOptions {
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  readonly budgets: Readonly<Record<StreamKey, ConnectionBudget>>;
  readonly answerer: Answerer;
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly reusePort: boolean;
  readonly identity: TlsIdentity | null;
  /** Null: there are no private names. */
  readonly privateNames: PrivateNames | null;
  now(): number;
}

/** All stream listeners of one thread. */
export class StreamListeners {
  private readonly servers: StreamServer[] = [];
  private readonly tlsServers: TlsServer[] = [];

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
    for (const server of this.tlsServers) server.useIdentity(identity);
  }

  /** Stops accepting; resolves when every query has been answered and every connection has ended. */
  drain(): Promise<void> {
    return this.empty((server) => server.stop());
  }

  /** Stops accepting and serves open connections; resolves when they have ended. */
  retire(): Promise<void> {
    return this.empty((server) => server.retire());
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }

  private async empty(stop: (server: StreamServer) => void): Promise<void> {
    const empty = this.servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.onEmpty = resolve;
          stop(server);
          if (server.openConnections === 0) resolve();
        }),
    );
    await Promise.all(empty);
  }

  /** Imports TLS lazily: threads without it save the memory. */
  private async open(options: StreamListenersOptions): Promise<void> {
    const { addresses, budgets, identity, answerer, limits, proxies, reusePort, now } = options;
    const { privateNames } = options;
    const common = { answerer, limits, proxies, reusePort, outbox: new Outbox(), privateNames, now };
    if (addresses.tcp.length > 0) {
      const { tcp } = budgets;
      this.servers.push(await startTcpListener({ ...common, addresses: addresses.tcp, budget: tcp }));
    }
    if (addresses.tls.length > 0) {
      const { startTlsListener } = await import('../tls/listener.ts');
      const { tls } = budgets;
      this.add(await startTlsListener({ ...common, addresses: addresses.tls, budget: tls, identity }));
    }
    if (addresses.https.length > 0) {
      const { startHttpsListener } = await import('../https/index.ts');
      const { https } = budgets;
      this.add(
        await startHttpsListener({
          ...common,
          addresses: addresses.https,
          budget: https,
          identity,
        }),
      );
    }
  }

  private add(server: TlsServer): void {
    this.tlsServers.push(server);
    this.servers.push(server.server);
  }
}
