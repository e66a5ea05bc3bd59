import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { ListenError, listenOptions, peerAddress, type SocketAddress } from '../../net/index.ts';
import { type RelayCounters, RelayOutcome } from '../counters.ts';
import type { OpenConnection } from '../open-connection.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { TakeOwn } from '../own-connection.ts';
import { RelayContext, type RelayHandle, type RelayUpdate } from '../relay-context.ts';
import type { RelayEngine } from '../relay-engine.ts';
import { sourceOf } from '../source.ts';
import { Client } from './client.ts';
import { HttpRelay } from './http-relay.ts';
import type { StreamContext } from './stream-context.ts';
import { serveTls } from './tls-relay.ts';

const BACKLOG = 4096;
const SWEEP_MS = 400;

export interface StreamEngineOptions {
  readonly protocol: 'tls' | 'http';
  readonly addresses: readonly SocketAddress[];
  readonly handle: Omit<RelayHandle, 'counters'>;
  readonly resolver: OriginResolver;
  makeCounters(): RelayCounters;
  readonly takeOwn: TakeOwn;
  /** Clock of the cache's entries, in ms. */
  now(): number;
}

/** Carries connections with Node's streams on the event loop: HTTP everywhere, TLS without epoll(7). */
export class StreamEngine implements RelayEngine {
  readonly name = 'streams';
  readonly addresses: SocketAddress[] = [];
  private readonly protocol: 'tls' | 'http';
  private readonly context: StreamContext;
  private readonly servers: Server[] = [];
  private readonly sweeper: NodeJS.Timeout;
  private onIdle: (() => void) | null = null;

  private constructor({ protocol, handle, resolver, makeCounters, takeOwn, now }: StreamEngineOptions) {
    const relay = new RelayContext({ ...handle, counters: makeCounters().buffer });
    this.protocol = protocol;
    const clients = new Set<OpenConnection>();
    this.context = {
      relay,
      resolver,
      takeOwn,
      clients,
      opened: (client) => clients.add(client),
      ended: (client) => {
        clients.delete(client);
        if (clients.size === 0) this.onIdle?.();
      },
      now,
    };
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  /** @throws ListenError; nothing stays open then */
  static async start(options: StreamEngineOptions): Promise<StreamEngine> {
    const engine = new StreamEngine(options);
    try {
      for (const address of options.addresses) await engine.open(address);
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  async publish(update: RelayUpdate): Promise<void> {
    this.context.relay.update(update);
  }

  async drain(): Promise<void> {
    for (const server of this.servers) server.close();
    if (this.context.clients.size === 0) return;
    await new Promise<void>((resolve) => {
      this.onIdle = resolve;
    });
  }

  async close(): Promise<void> {
    clearInterval(this.sweeper);
    const closed = this.servers.map((server) => (server.listening ? once(server, 'close') : null));
    for (const server of this.servers) server.close();
    for (const client of this.context.clients) client.end(RelayOutcome.DRAINED);
    await Promise.all(closed);
  }

  private async open(address: SocketAddress): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));
    server.listen({ ...listenOptions(address), backlog: BACKLOG });
    try {
      await once(server, 'listening');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new ListenError(`relay.${this.protocol}`, address, code ?? 'unknown');
    }
    // Later errors are about one accept (no descriptors left), so only that connection is lost.
    server.on('error', () => {});
    this.servers.push(server);
    this.addresses.push({ address: address.address, port: (server.address() as AddressInfo).port });
  }

  private accept(socket: Socket): void {
    const { relay, clients } = this.context;
    const address = peerAddress(socket.remoteAddress);
    if (address === null || clients.size >= relay.policy.limits.connections) {
      socket.destroy();
      return;
    }
    const client = new Client(
      this.context,
      socket,
      sourceOf(address, socket.remotePort),
      relay.balancers.has(address),
    );
    if (this.protocol === 'http') new HttpRelay(client, relay.policy.originPort);
    else serveTls(client, relay.policy.originPort);
  }

  private sweep(): void {
    const { relay, clients, now } = this.context;
    const idleSinceMs = now() - relay.policy.limits.idleMs;
    for (const client of clients) {
      if (!client.isCarrying) continue;
      if (!relay.admission.admits(client.source)) client.end(RelayOutcome.REVOKED);
      else if (client.activeAtMs < idleSinceMs) client.end(RelayOutcome.IDLE);
    }
  }
}
