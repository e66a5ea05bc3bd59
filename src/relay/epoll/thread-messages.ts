import type { MessagePort } from 'node:worker_threads';
import type { Address } from '../../net/index.ts';
import type { OwnConnection } from '../own-connection.ts';
import type { RelayUpdate } from '../relay-context.ts';

/** Word of the control memory that holds the phase. */
export const PHASE_WORD = 0;
export const Phase = {
  SERVING: 0,
  /** Accepts no more connections and ends with the last open one. */
  DRAINING: 1,
  /** Ends all open connections. */
  STOPPING: 2,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Messages to a thread. */
export type ToThread =
  | { readonly kind: 'update'; readonly update: RelayUpdate }
  | { readonly kind: 'resolved'; readonly id: number; readonly addresses: readonly Address[] | null };

/** Messages from a thread. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'attached' }
  | { readonly kind: 'resolve'; readonly id: number; readonly name: Uint8Array }
  | { readonly kind: 'own'; readonly connection: OwnConnection };

/** Messaging of a thread. */
export interface ThreadMailData {
  readonly control: SharedArrayBuffer;
  readonly mail: MessagePort;
  /** Eventfd, signalled for a message or a new phase. */
  readonly event: number;
}
