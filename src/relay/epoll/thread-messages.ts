import type { MessagePort } from 'node:worker_threads';
import type { OriginAddresses } from '../origin-addresses.ts';
import type { RelayUpdate } from '../relay-context.ts';

/** The word of the control memory, and what it may say. */
export const PHASE_WORD = 0;
export const Phase = {
  SERVING: 0,
  /** Takes no more connections; ends when those that are open have ended. */
  DRAINING: 1,
  /** Ends what is open. */
  STOPPING: 2,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** What a thread is sent. */
export type ToThread =
  | { readonly kind: 'update'; readonly update: RelayUpdate }
  | { readonly kind: 'resolved'; readonly id: number; readonly addresses: OriginAddresses | null };

/** What a thread sends. */
export type FromThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'attached' }
  | { readonly kind: 'resolve'; readonly id: number; readonly name: Uint8Array };

/** How a thread is reached. */
export interface ThreadMailData {
  readonly control: SharedArrayBuffer;
  readonly mail: MessagePort;
  /** Signalled when there is mail or another phase. */
  readonly event: number;
}
