import type { Address } from '../net/index.ts';
import type { After } from './timers.ts';

/** RFC 8305, 5 and 8: the recommended delay before the next address is tried beside the one before. */
export const CONNECTION_ATTEMPT_DELAY_MS = 250;
/** All attempts together. */
export const CONNECT_TIMEOUT_MS = 10_000;

export interface ConnectTiming {
  /** How long an attempt is alone before the next one begins beside it. */
  readonly attemptDelayMs: number;
  readonly timeoutMs: number;
}

export const DIRECT_TIMING: ConnectTiming = {
  attemptDelayMs: CONNECTION_ATTEMPT_DELAY_MS,
  timeoutMs: CONNECT_TIMEOUT_MS,
};

/**
 * Begins to connect to an address.
 * @param done called once, during the call or later, with the connection or null; never after it was cancelled
 * @returns what cancels it
 */
export type Connect<T> = (address: Address, done: (connection: T | null) => void) => () => void;

/**
 * Connects to the first of some addresses that answers (RFC 8305, 5): each is tried when the one before has
 * failed or has taken a while; the first that succeeds ends the others.
 * @param done called once, with null where none answers in time; not after it was cancelled
 * @returns what cancels it
 */
export function happyEyeballs<T>(
  addresses: readonly Address[],
  connect: Connect<T>,
  after: After,
  done: (connection: T | null) => void,
  { attemptDelayMs, timeoutMs } = DIRECT_TIMING,
): () => void {
  const running = new Set<() => void>();
  let next = 0;
  let ended = false;
  let cancelDelay = (): void => {};

  const end = (): void => {
    ended = true;
    cancelDelay();
    cancelTimeout();
    for (const cancel of running) cancel();
    running.clear();
  };
  const finish = (connection: T | null): void => {
    end();
    done(connection);
  };
  const cancelTimeout = after(timeoutMs, () => finish(null));
  const tryNext = (): void => {
    cancelDelay();
    if (ended) return;
    if (next >= addresses.length) {
      if (running.size === 0) finish(null);
      return;
    }
    let cancel = (): void => {};
    let settled = false;
    cancelDelay = after(attemptDelayMs, tryNext);
    cancel = connect(addresses[next++], (connection) => {
      settled = true;
      running.delete(cancel);
      if (connection !== null) finish(connection);
      else tryNext();
    });
    if (!settled) running.add(cancel);
  };
  tryNext();
  return end;
}
