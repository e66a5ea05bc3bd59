import type { Prefix, SocketAddress } from '../../net/index.ts';
import type { Answerer } from '../answerer.ts';
import type { PrivateNames } from '../private-names/index.ts';
import { ConnectionBudget, type StreamLimits } from './connection-budget.ts';
import type { Outbox } from './outbox.ts';

/** Options that the listeners of all stream transports have. */
export interface StreamListenerOptions {
  readonly addresses: readonly SocketAddress[];
  readonly answerer: Answerer;
  readonly limits: StreamLimits;
  /** Shared by all threads that listen on these addresses; by default a new one. */
  readonly budget?: ConnectionBudget;
  /** The thread's; by default a new one. */
  readonly outbox?: Outbox;
  readonly proxies?: readonly Prefix[];
  readonly reusePort?: boolean;
  /** Null or absent: there are no private names. */
  readonly privateNames?: PrivateNames | null;
  /** Monotonic clock in ms. */
  now(): number;
}

/** Makes the part of a StreamServer's options that does not depend on the transport. */
export function streamServerOptions(options: StreamListenerOptions) {
  const { addresses, answerer, limits, budget, proxies = [], reusePort = false, now } = options;
  return {
    addresses,
    limits,
    budget: budget ?? new ConnectionBudget(ConnectionBudget.allocate(), limits, 0),
    counters: answerer.counters,
    proxies,
    reusePort,
    now,
  };
}
