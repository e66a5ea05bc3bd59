import type { MessagePort } from 'node:worker_threads';
import type { BlockHandle } from '../../metrics/index.ts';
import type { CacheHandle, TtlLimits } from '../../resolver/cache/index.ts';
import type { ForwardHandle } from '../../resolver/forward/index.ts';
import type {
  ResolverCounters,
  UpstreamConfig,
  UpstreamQuirk,
  UpstreamStatus,
} from '../../resolver/index.ts';
import type { TableUpdate } from '../table-update.ts';
import type { ReplySockets } from '../udp/deferred-queries.ts';
import type { UdpTables } from '../udp/udp-thread-data.ts';

export interface ResolverThreadData {
  readonly upstreams: readonly UpstreamConfig[];
  readonly cache: CacheHandle;
  readonly nameSeed: number;
  readonly ttlLimits: TtlLimits;
  readonly forward: ForwardHandle | null;
  readonly counters: BlockHandle;
}

/** An order to the resolver's thread. Those with an `id` are confirmed by Done. */
export type ResolverOrder =
  /** Serves a RemoteResolver at the other end. */
  | { readonly kind: 'port'; readonly port: MessagePort }
  | { readonly kind: 'edge'; readonly tables: UdpTables }
  | { readonly kind: 'open'; readonly sockets: readonly ReplySockets[] }
  | { readonly kind: 'follow'; readonly ring: SharedArrayBuffer; readonly sockets: number }
  | { readonly kind: 'tables'; readonly id: number; readonly update: TableUpdate }
  | {
      readonly kind: 'upstreams';
      readonly id: number;
      readonly upstreams: readonly UpstreamConfig[];
      readonly firstIndex: number;
    }
  | { readonly kind: 'end'; readonly id: number; readonly ring: number }
  | { readonly kind: 'closeSockets'; readonly id: number; readonly sockets: number }
  /** Confirmed when no query waits for an upstream. */
  | { readonly kind: 'idle'; readonly id: number }
  | { readonly kind: 'report'; readonly id: number }
  | { readonly kind: 'stop' };

export interface ResolverReport {
  readonly upstreams: readonly UpstreamStatus[];
  readonly counters: ResolverCounters;
}

export type ResolverNotice =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number }
  | ({ readonly kind: 'report' } & ResolverReport)
  | { readonly kind: 'quirk'; readonly url: string; readonly quirk: UpstreamQuirk }
  /** A bug in this program left a query unanswered. */
  | { readonly kind: 'error'; readonly error: unknown };
