import type { Socket } from 'node:net';
import {
  type Address,
  distinctAddresses,
  formatSocketAddress,
  type ProxyUrl,
  type SocketAddress,
} from '../net/index.ts';
import type { Resolver } from '../resolver/index.ts';
import { closeSocket, libc } from '../sys/index.ts';
import type { RelayCounters } from './counters.ts';
import { type EgressStatus, EgressWatch } from './egress/egress-watch.ts';
import type { EgressRules } from './egress-guard.ts';
import { EpollEngine } from './epoll/epoll-engine.ts';
import { OriginResolver } from './origin-resolver.ts';
import { type OwnConnection, openOwnConnection, type TakeOwn } from './own-connection.ts';
import type { RelayPolicy } from './policy.ts';
import type { QuicMode } from './quic/quic-context.ts';
import { QuicEngine } from './quic/quic-engine.ts';
import type { RelayHandle, RelayTables, RelayUpdate } from './relay-context.ts';
import type { RelayEngine } from './relay-engine.ts';
import { allocateSourceLimits } from './source-limits.ts';
import { streamDialer } from './streams/stream-dialer.ts';
import { StreamEngine } from './streams/stream-engine.ts';

export interface RelayOptions {
  readonly tls: readonly SocketAddress[];
  readonly http: readonly SocketAddress[];
  readonly quic: readonly SocketAddress[];
  readonly quicMode: QuicMode;
  /** Engine for TLS. auto: epoll if the platform has it. */
  readonly engine: 'auto' | RelayEngine['name'];
  /** Threads that carry TLS. */
  readonly threads: number;
  readonly policy: RelayPolicy;
  readonly tables: Omit<RelayTables, 'proxyAddresses'>;
  readonly cache: RelayHandle['cache'];
  readonly resolver: Pick<Resolver, 'resolve'>;
  /** Clock of the cache's entries, in ms. */
  now(): number;
  makeCounters(): RelayCounters;
  /** Resolves a proxy's name by the system's resolver. */
  lookup(host: string): Promise<readonly Address[]>;
  /** A proxy of relay.egress went down or came back. `proxy` is its URL without credentials. */
  onProxy(proxy: string, isUp: boolean): void;
  /** Takes connections for names of our own (policy.ownNames). */
  readonly takeOwn: TakeOwn;
  /** A thread ended by itself and its tunnels are lost. */
  onFailure(error: Error): void;
}

/**
 * QUIC needs the kernel's datagram batches. Elsewhere its port stays closed: the kernel's ICMP answer sends clients to
 * TCP (src/decisions/one-quic-carrier.md).
 */
export function canRelayQuic(): boolean {
  return libc() !== null;
}

/** The relay's listeners and the engines behind them. */
export class Relay {
  private readonly engines: RelayEngine[] = [];
  private tls: RelayEngine | null = null;
  private http: RelayEngine | null = null;
  private egress: EgressWatch<Socket> | null = null;
  private quic: RelayEngine | null = null;
  private readonly options: RelayOptions;

  private constructor(options: RelayOptions) {
    this.options = options;
  }

  /** @throws ListenError, or SystemCallError if the platform has no epoll; nothing stays open then */
  static async start(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    try {
      await relay.open(options);
      return relay;
    } catch (error) {
      await relay.close();
      throw error;
    }
  }

  get tlsAddresses(): readonly SocketAddress[] {
    return distinctAddresses(this.tls?.addresses ?? []);
  }

  get httpAddresses(): readonly SocketAddress[] {
    return distinctAddresses(this.http?.addresses ?? []);
  }

  get quicAddresses(): readonly SocketAddress[] {
    return distinctAddresses(this.quic?.addresses ?? []);
  }

  get engine(): RelayEngine['name'] | null {
    return this.tls?.name ?? this.quic?.name ?? null;
  }

  /** Proxies that lead to the origins; empty for direct connections. */
  get proxies(): readonly EgressStatus[] {
    return this.egress?.status() ?? [];
  }

  /** Resolves once all threads use the update. */
  async publish(update: RelayUpdate): Promise<void> {
    const egress = update.egress && this.withListeners(update.egress);
    await Promise.all(this.engines.map((engine) => engine.publish({ ...update, ...(egress && { egress }) })));
  }

  /** Connects to origins through other proxies from now on, once each was tried; open connections go on. */
  async useProxies(urls: readonly ProxyUrl[]): Promise<void> {
    const egress = this.watch(urls);
    this.egress?.close();
    this.egress = egress;
    await egress.start();
    await this.publish({
      proxies: { urls, health: egress.health.memory, addresses: egress.addresses },
    });
  }

  /** Ends all QUIC connections and stops reading their sockets: another process that reads them would get half of the datagrams. */
  async endQuic(): Promise<void> {
    const { quic } = this;
    if (quic === null) return;
    this.engines.splice(this.engines.indexOf(quic), 1);
    await quic.close();
  }

  /** Stops accepting and gives open connections `drainMs` to end. */
  async drain(drainMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs);
    });
    await Promise.race([Promise.all(this.engines.map((engine) => engine.drain())), late]);
    clearTimeout(timer);
  }

  /** Ends all open connections. */
  async close(): Promise<void> {
    this.egress?.close();
    await Promise.all(this.engines.splice(0).map((engine) => engine.close()));
  }

  private async open(options: RelayOptions): Promise<void> {
    const { tls, http, quic, policy, tables, cache, threads, makeCounters, onFailure, now } = options;
    const resolver = new OriginResolver(options.resolver, now);
    const egress = this.watch(policy.proxies);
    this.egress = egress;
    await egress.start();
    const handle = {
      policy,
      tables: { ...tables, proxyAddresses: egress.addresses },
      cache,
      limits: allocateSourceLimits(),
      proxyHealth: egress.health.memory,
    };
    const { takeOwn } = options;
    const onOwn = (connection: OwnConnection): void => {
      try {
        takeOwn('tls', openOwnConnection(connection));
      } catch {
        // The client has gone meanwhile.
        closeSocket(connection.fd);
      }
    };
    const streams = { handle, resolver, makeCounters, takeOwn, now };
    const byStreams = options.engine === 'streams' || (options.engine === 'auto' && libc() === null);
    if (tls.length > 0) {
      this.tls = byStreams
        ? await StreamEngine.start({ ...streams, protocol: 'tls', addresses: tls })
        : await EpollEngine.start({
            addresses: tls,
            threads,
            handle,
            resolver,
            makeCounters,
            onOwn,
            onFailure,
          });
      this.engines.push(this.tls);
    }
    if (http.length > 0) {
      this.http = await StreamEngine.start({ ...streams, protocol: 'http', addresses: http });
      this.engines.push(this.http);
    }
    if (quic.length > 0 && canRelayQuic()) {
      const mode = options.quicMode;
      // A datagram's source may be forged, so QUIC must not use up the source's TCP connections. Bytes are
      // shared: only a confirmed client gets many.
      const limits = { ...allocateSourceLimits(), bytesEmptyAtMs: handle.limits.bytesEmptyAtMs };
      const common = { handle: { ...handle, limits }, resolver, makeCounters, onFailure };
      this.quic = await QuicEngine.start({ addresses: quic, mode, ...common });
      this.engines.push(this.quic);
    }
    await this.publish({ egress: tables.egress, proxyAddresses: egress.addresses });
  }

  private watch(proxies: readonly ProxyUrl[]): EgressWatch<Socket> {
    const { lookup, now, onProxy } = this.options;
    return new EgressWatch({
      proxies,
      dialer: streamDialer,
      lookup,
      discard: (socket) => socket.destroy(),
      now,
      onLocated: (proxyAddresses) => void this.publish({ proxyAddresses }),
      onChange: onProxy,
    });
  }

  /** Adds this relay's own listeners, whose ports the kernel may have chosen. */
  private withListeners(rules: EgressRules): EgressRules {
    const own = [...this.tlsAddresses, ...this.httpAddresses, ...this.quicAddresses].map(formatSocketAddress);
    return { ...rules, listeners: [...new Set([...rules.listeners, ...own])] };
  }
}
