import type { SocketAddress } from '../net/index.ts';
import { MAX_NAME_BYTES } from '../wire/index.ts';
import { LoadPlanError } from './errors.ts';
import type { Shares } from './shares.ts';
import type { Sources } from './sources.ts';

/** Path that a query should take at the edge. */
export const KINDS = ['catalog', 'hit', 'miss'] as const;
export type Kind = (typeof KINDS)[number];
export type Mix = Shares<Kind>;

export const QUERY_TYPES = ['A', 'AAAA', 'HTTPS', 'MX', 'NS', 'SRV', 'SVCB', 'TXT'] as const;
export type QueryType = (typeof QUERY_TYPES)[number];

export const TRANSPORTS = ['udp', 'tcp', 'tls', 'https'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export const MAX_SECONDS = 3600;
export const MAX_RATE = 5_000_000;
export const MAX_TIMEOUT_MS = 60_000;
export const MAX_CONNECTIONS = 10_000;

/** Bytes in front of a miss's base: a length byte and 12 letters. */
export const MISS_LABEL_BYTES = 13;

/** Names in wire form. */
export interface LoadNames {
  readonly catalog: readonly Uint8Array[];
  /** Names outside the catalog that are asked repeatedly, so that they are cached. */
  readonly hits: readonly Uint8Array[];
  /** Each miss asks for a new name below this one. */
  readonly missBase: Uint8Array;
}

/** Verification of the server's certificate. */
export interface LoadTls {
  readonly serverName: string | null;
  /** PEM; null: the system's certificate authorities. */
  readonly ca: string | null;
  readonly verifies: boolean;
}

/** A complete load. */
export interface LoadPlan {
  readonly target: SocketAddress;
  readonly transport: Transport;
  /** Queries a second, over all connections and sources. */
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** Precedes `seconds`, at the same rate; not counted. */
  readonly warmUpSeconds: number;
  readonly timeoutMs: number;
  readonly mix: Mix;
  readonly types: Shares<QueryType>;
  readonly names: LoadNames;
  readonly sources: Sources;
  readonly unregistered: Sources;
  /** Percentage of queries from unregistered sources, 0 to 100. */
  readonly unregisteredPercent: number;
  /** Number of connections, for tcp, tls and https. */
  readonly connections: number;
  readonly tls: LoadTls;
  /** For https. */
  readonly path: string;
  /** Queries carry an OPT record. */
  readonly edns: boolean;
}

const BOUNDS: readonly (readonly [key: keyof LoadPlan, name: string, least: number, most: number])[] = [
  ['ratePerSecond', 'rate', 1, MAX_RATE],
  ['seconds', 'seconds', 0.1, MAX_SECONDS],
  ['warmUpSeconds', 'warm-up', 0, 60],
  ['timeoutMs', 'timeout in ms', 1, MAX_TIMEOUT_MS],
  ['unregisteredPercent', 'unregistered share', 0, 100],
  ['connections', 'connections', 1, MAX_CONNECTIONS],
];

/** @throws LoadPlanError if a number is out of range or there is nothing to ask or no source to ask from */
export function checkPlan(plan: LoadPlan): void {
  for (const [key, name, least, most] of BOUNDS) {
    const value = plan[key] as number;
    if (!(value >= least && value <= most)) {
      throw new LoadPlanError(`found ${name} ${value}, expected ${least} to ${most}`);
    }
  }
  if (plan.mix.catalog > 0 && plan.names.catalog.length === 0) {
    throw new LoadPlanError('found no names, expected one at least for the share of the catalog');
  }
  if (plan.mix.hit > 0 && plan.names.hits.length === 0) {
    throw new LoadPlanError('found no names, expected one at least for the share of hits');
  }
  if (plan.unregisteredPercent > 0 && plan.unregistered.count === 0) {
    throw new LoadPlanError('found a share of unregistered queries, expected their sources with it');
  }
  if (plan.names.missBase.length > MAX_NAME_BYTES - MISS_LABEL_BYTES) {
    throw new LoadPlanError(`found a base of ${plan.names.missBase.length} bytes, expected a shorter one`);
  }
  if (plan.target.port === 0) throw new LoadPlanError('found port 0, expected the port of a server');
}
