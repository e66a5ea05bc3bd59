import type { Address } from '../../net/index.ts';
import type { EgressOutcome } from './egress-outcome.ts';

/** Next step after a proxy's bytes. */
export type HandshakeStep =
  /** Wait for more bytes. */
  | { readonly kind: 'more' }
  /** Send these bytes. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** The origin is connected; `rest` holds its first bytes. */
  | { readonly kind: 'open'; readonly rest: Uint8Array }
  | { readonly kind: 'failed'; readonly outcome: EgressOutcome };

/** Destination a proxy is asked for: a checked address, never a name. */
export interface Destination {
  readonly address: Address;
  readonly port: number;
}

/** Handshake with a proxy. Pure: engines send and receive for it. */
export interface ProxyHandshake {
  /** Bytes to send first; may be empty. */
  readonly greeting: Uint8Array;
  /** True once the proxy has answered enough that further silence is more likely the origin's. */
  readonly isGreeted: boolean;
  /** Handles bytes of the proxy. Not called again after `open` or `failed`. */
  handle(chunk: Uint8Array): HandshakeStep;
}

export const MORE: HandshakeStep = { kind: 'more' };

export function failed(outcome: EgressOutcome): HandshakeStep {
  return { kind: 'failed', outcome };
}
