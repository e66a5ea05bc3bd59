import type { MessagePort } from 'node:worker_threads';
import type { AllowlistHandle } from '../../allowlist/index.ts';
import type { CatalogHandle } from '../../catalog/lookup/index.ts';
import type { BlockHandle } from '../../metrics/index.ts';
import type { Prefix, SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { CacheHandle } from '../../resolver/cache/index.ts';
import type { QueryPolicy } from '../answer/query-state.ts';
import type { ClaimOutcome } from '../private-names/index.ts';
import type { ClaimMessage } from '../private-names/thread-claims.ts';
import type { RateLimitOptions } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import type { StreamLimits } from './connection-budget.ts';

export const STREAM_KEYS = ['tcp', 'tls', 'https'] as const;
export type StreamKey = (typeof STREAM_KEYS)[number];

/** Tables and rules that all threads share. */
export interface SharedTables {
  readonly allowlist: AllowlistHandle;
  readonly catalog: CatalogHandle;
  readonly cache: CacheHandle;
  readonly rateLimit: SharedArrayBuffer;
  readonly rateLimitOptions: RateLimitOptions;
  readonly policy: QueryPolicy;
}

export interface StreamWorkerData extends SharedTables {
  readonly counters: BlockHandle;
  /** Carries questions to the main thread's resolver (RemoteResolver). */
  readonly resolver: MessagePort;
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  /** Memory of the ConnectionBudgets. */
  readonly budgets: Readonly<Record<StreamKey, SharedArrayBuffer>>;
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly reusePort: boolean;
  readonly identity: TlsIdentity | null;
  /** The domain of private names; null: there are none. */
  readonly privateDomain: string | null;
}

/** Messages from the main thread. */
export type StreamOrder =
  | { readonly kind: 'tables'; readonly update: TableUpdate }
  | { readonly kind: 'identity'; readonly identity: TlsIdentity }
  | { readonly kind: 'claimed'; readonly id: number; readonly outcome: ClaimOutcome }
  /** Stop accepting, serve open connections until they are idle. */
  | { readonly kind: 'retire' }
  /** Stop accepting, answer every query. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' };

/** Messages to the main thread. */
export type StreamReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'cannot-listen';
      readonly key: string;
      readonly address: SocketAddress;
      readonly errno: string;
    }
  | { readonly kind: 'attached' }
  | { readonly kind: 'claim'; readonly claim: ClaimMessage }
  /** The thread accepts no more connections. */
  | { readonly kind: 'retired' }
  /** Every query that had arrived before 'stop' has been answered; after 'retire': all connections have ended. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'error'; readonly error: unknown };
