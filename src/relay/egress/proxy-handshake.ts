import type { Address } from '../../net/index.ts';
import type { EgressOutcome } from './egress-outcome.ts';

/** What is to be done after bytes of a proxy. */
export type HandshakeStep =
  /** Wait for more of them. */
  | { readonly kind: 'more' }
  /** Send these. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** The origin is there; `rest` are its first bytes. */
  | { readonly kind: 'open'; readonly rest: Uint8Array }
  | { readonly kind: 'failed'; readonly outcome: EgressOutcome };

/** Where a proxy is asked to connect to: an address that has been checked, never a name. */
export interface Destination {
  readonly address: Address;
  readonly port: number;
}

/** What is said to a proxy before it is a tunnel. It knows no socket: engines send and receive for it. */
export interface ProxyHandshake {
  /** Sent first; may be empty. */
  readonly greeting: Uint8Array;
  /** Whether the proxy has answered so far that a silence is more likely the origin's. */
  readonly isGreeted: boolean;
  /** Takes bytes of the proxy; not called any more after `open` and `failed`. */
  handle(chunk: Uint8Array): HandshakeStep;
}

export const MORE: HandshakeStep = { kind: 'more' };

export function failed(outcome: EgressOutcome): HandshakeStep {
  return { kind: 'failed', outcome };
}
