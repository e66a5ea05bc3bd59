import { RelayOutcome } from './counters.ts';
import { PROXIED_TIMING } from './egress/proxy-pool.ts';
import { type Connect, DIRECT_TIMING, happyEyeballs } from './happy-eyeballs.ts';
import { inTurn, type OriginAddresses } from './origin-addresses.ts';
import type { RelayContext } from './relay-context.ts';
import type { After } from './timers.ts';

/** How a race to an origin ends: with the connection, or with what became of it instead. */
export interface OriginDial<T> {
  readonly after: After;
  /** Begins to connect to an address that the guard has allowed. */
  readonly connect: Connect<T>;
  won(connection: T): void;
  lost(outcome: RelayOutcome): void;
}

/**
 * Connects to the first of a name's addresses that answers, of those that the egress guard allows: the one place where an
 * address passes it, and what passes is what connect(2) or a proxy is given.
 * @param found what the name resolved to; null: nothing
 * @returns what cancels it
 */
export function dialOrigin<T>(
  relay: RelayContext,
  found: OriginAddresses | null,
  port: number,
  { after, connect, won, lost }: OriginDial<T>,
): () => void {
  const addresses = found === null ? [] : inTurn(found);
  if (addresses.length === 0) {
    lost(RelayOutcome.UNRESOLVED);
    return () => {};
  }
  let tried = 0;
  return happyEyeballs<T>(
    addresses,
    (address, done) => {
      if (!relay.guard.allows(address, port)) {
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
    relay.proxies === null ? DIRECT_TIMING : PROXIED_TIMING,
  );
}
