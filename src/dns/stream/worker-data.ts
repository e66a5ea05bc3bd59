import type { MessagePort } from 'node:worker_threads';
import type { AllowlistHandle } from '../../allowlist/index.ts';
import type { CatalogHandle } from '../../catalog/lookup/index.ts';
import type { BlockHandle } from '../../metrics/index.ts';
import type { Prefix, SocketAddress, TlsIdentity } from '../../net/index.ts';
import type { CacheHandle } from '../../resolver/cache/index.ts';
import type { QueryPolicy } from '../answer/query-state.ts';
import type { ListenKey } from '../listen-error.ts';
import type { RateLimitOptions } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import type { StreamLimits } from './connection-budget.ts';

export const STREAM_KEYS = ['tcp', 'tls', 'https'] as const;
export type StreamKey = (typeof STREAM_KEYS)[number];

/** The tables and rules that threads share. */
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
  /** Where questions go, as RemoteResolver has it. */
  readonly resolver: MessagePort;
  readonly addresses: Readonly<Record<StreamKey, readonly SocketAddress[]>>;
  /** Connections that are open in all threads, for each transport. */
  readonly budgets: Readonly<Record<StreamKey, SharedArrayBuffer>>;
  readonly limits: StreamLimits;
  readonly proxies: readonly Prefix[];
  readonly reusePort: boolean;
  readonly identity: TlsIdentity | null;
}

/** From the main thread. */
export type StreamOrder =
  | { readonly kind: 'tables'; readonly update: TableUpdate }
  | { readonly kind: 'identity'; readonly identity: TlsIdentity }
  /** Accept no more, answer what has been asked. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' };

/** To the main thread. */
export type StreamReport =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'cannot-listen';
      readonly key: ListenKey;
      readonly address: SocketAddress;
      readonly errno: string;
    }
  | { readonly kind: 'attached' }
  /** What had been asked when it was told to stop has been answered. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'fault'; readonly fault: unknown };
