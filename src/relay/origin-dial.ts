import type { Address } from '../net/index.ts';
import { RelayOutcome } from './counters.ts';
import { PROXIED_TIMING } from './egress/proxy-pool.ts';
import { type Connect, DIRECT_TIMING, happyEyeballs } from './happy-eyeballs.ts';
import type { RelayContext } from './relay-context.ts';
import type { After } from './timers.ts';

/** Callbacks of one dial. */
export interface OriginDial<T> {
  readonly after: After;
  /** Starts to connect to an address that the guard allows. */
  readonly connect: Connect<T>;
  /** False for the control API's own addresses, the one exemption from the egress guard. */
  readonly isGuarded: boolean;
  won(connection: T): void;
  lost(outcome: RelayOutcome): void;
}

/**
 * Connects to a name's origin: Happy Eyeballs over the addresses that the egress guard allows. The guard is
 * asked here only, about the very address that connect(2) or a proxy gets.
 * @param found addresses of the name; null if no upstream answered
 * @returns a function that cancels the dial
 */
export function dialOrigin<T>(
  relay: RelayContext,
  found: readonly Address[] | null,
  port: number,
  { after, connect, isGuarded, won, lost }: OriginDial<T>,
): () => void {
  if (found === null || found.length === 0) {
    lost(RelayOutcome.UNRESOLVED);
    return () => {};
  }
  let tried = 0;
  return happyEyeballs<T>(
    found,
    (address, done) => {
      if (isGuarded && !relay.guard.allows(address, port)) {
        done(null);
        return () => {};
      }
      tried++;
      return connect(address, done);
    },
    after,
    (connection) => {
      if (connection !== null) won(connection);
      else lost(tried === 0 ? RelayOutcome.FORBIDDEN : RelayOutcome.UNREACHABLE);
    },
    relay.proxies === null || !isGuarded ? DIRECT_TIMING : PROXIED_TIMING,
  );
}
