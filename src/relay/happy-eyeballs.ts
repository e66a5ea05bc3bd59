import type { Address } from '../net/index.ts';
import type { After } from './timers.ts';

/** Connection Attempt Delay recommended by RFC 8305 (sections 5 and 8). */
export const CONNECTION_ATTEMPT_DELAY_MS = 250;
/** Time limit for all attempts together. */
export const CONNECT_TIMEOUT_MS = 10_000;

export interface ConnectTiming {
  /** Head start of an attempt before the next address is tried in parallel. */
  readonly attemptDelayMs: number;
  readonly timeoutMs: number;
}

export const DIRECT_TIMING: ConnectTiming = {
  attemptDelayMs: CONNECTION_ATTEMPT_DELAY_MS,
  timeoutMs: CONNECT_TIMEOUT_MS,
};

/**
 * Starts to connect to an address.
 * @param done called once, synchronously or later, with the connection or null; never after cancellation
 * @returns a function that cancels the attempt
 */
export type Connect<T> = (address: Address, done: (connection: T | null) => void) => () => void;

/**
 * Connects to the first address that answers (Happy Eyeballs, RFC 8305 section 5): the next address is tried
 * when the previous one fails or its head start is over, and the first success cancels the others.
 * @param done called once, with null if none answers in time; never after cancellation
 * @returns a function that cancels all attempts
 */
export function happyEyeballs<T>(
  addresses: readonly Address[],
  connect: Connect<T>,
  after: After,
  done: (connection: T | null) => void,
  { attemptDelayMs, timeoutMs } = DIRECT_TIMING,
): () => void {
  /** Cancels of the attempts under way: seldom more than one. */
  const running: (() => void)[] = [];
  let next = 0;
  let ended = false;
  let cancelDelay: (() => void) | null = null;

  const end = (): void => {
    ended = true;
    cancelDelay?.();
    cancelTimeout();
    for (let cancel = running.pop(); cancel !== undefined; cancel = running.pop()) cancel();
  };
  const finish = (connection: T | null): void => {
    end();
    done(connection);
  };
  const cancelTimeout = after(timeoutMs, () => finish(null));
  const tryNext = (): void => {
    cancelDelay?.();
    cancelDelay = null;
    if (ended) return;
    if (next >= addresses.length) {
      if (running.length === 0) finish(null);
      return;
    }
    let cancel: (() => void) | null = null;
    let settled = false;
    const address = addresses[next++];
    if (next < addresses.length) cancelDelay = after(attemptDelayMs, tryNext);
    cancel = connect(address, (connection) => {
      settled = true;
      if (cancel !== null) running.splice(running.indexOf(cancel), 1);
      if (connection !== null) finish(connection);
      else tryNext();
    });
    if (!settled) running.push(cancel);
  };
  tryNext();
  return end;
}
