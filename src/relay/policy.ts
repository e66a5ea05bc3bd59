import type { ProxyHeaderVersion, ProxyUrl } from '../net/index.ts';
import type { SourceLimitOptions } from './source-limits.ts';

export interface RelayLimits extends SourceLimitOptions {
  /** Open connections in all. */
  readonly connections: number;
  /** A connection must have said within this time what it is for. */
  readonly handshakeMs: number;
  /** A tunnel in which nothing has moved for this long is ended. */
  readonly idleMs: number;
  /** The same for QUIC, whose ends are encrypted and cannot be seen. */
  readonly quicIdleMs: number;
}

/** How a relay works; plain data, to be posted to threads. */
export interface RelayPolicy {
  /** Secret seed of the hashes of names, the one that the catalog's and the cache's tables were built with. */
  readonly seed: number;
  readonly limits: RelayLimits;
  /** Prefixes of balancers whose PROXY header names the client. */
  readonly proxyProtocolFrom: readonly string[];
  /** Prefixes of edges that probe the relay. */
  readonly probeSources: readonly string[];
  /** The port to connect to where it is not the protocol's own. */
  readonly originPort: number | null;
  /** Addresses to connect from; a family without one is left to the system if neither has one, else not used. */
  readonly localAddresses: readonly string[];
  /** Proxies that lead to the origins; none: origins are connected to directly. */
  readonly proxies: readonly ProxyUrl[];
  /** Prefixes of origins that are told the client's address by a PROXY header. */
  readonly proxyProtocolTo: readonly string[];
  readonly proxyProtocolVersion: ProxyHeaderVersion;
}

/** Whether datagrams reach the origins: proxies carry TCP alone. */
export function canCarryQuic({ proxies }: Pick<RelayPolicy, 'proxies'>): boolean {
  return proxies.length === 0;
}

export const TLS_PORT = 443;
export const HTTP_PORT = 80;
