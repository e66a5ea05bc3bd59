import type { ProxyHeaderVersion, ProxyUrl } from '../net/index.ts';
import type { OwnNamesPolicy } from './own-names.ts';
import type { SourceLimitOptions } from './source-limits.ts';

export interface RelayLimits extends SourceLimitOptions {
  /** Time for a client to name its origin. */
  readonly handshakeMs: number;
  /** Ends a tunnel that has carried nothing for this long. */
  readonly idleMs: number;
  /** The same for QUIC, whose end is encrypted and cannot be seen. */
  readonly quicIdleMs: number;
}

/** Settings of a relay; plain data that can be posted to threads. */
export interface RelayPolicy {
  /** Name-hash seed; must match the one that the catalog and the cache were built with. Secret. */
  readonly seed: number;
  readonly limits: RelayLimits;
  /** Prefixes of load balancers whose PROXY header names the client. */
  readonly proxyProtocolFrom: readonly string[];
  /** Prefixes of edges that probe the relay. */
  readonly probeSources: readonly string[];
  /** Overrides the protocol's own port. */
  readonly originPort: number | null;
  /** Local addresses to connect from. If any is set, a family without one is not used. */
  readonly localAddresses: readonly string[];
  /** Proxies that lead to the origins; empty for direct connections. */
  readonly proxies: readonly ProxyUrl[];
  /** Prefixes of origins that are sent a PROXY header. */
  readonly proxyProtocolTo: readonly string[];
  readonly proxyProtocolVersion: ProxyHeaderVersion;
  readonly ownNames: OwnNamesPolicy;
}

export const TLS_PORT = 443;
export const HTTP_PORT = 80;
