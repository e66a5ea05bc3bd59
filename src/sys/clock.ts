/**
 * A clock in milliseconds that never goes back (CLOCK_MONOTONIC) and is the same in all threads of the
 * process. Reading it allocates nothing, which process.hrtime would.
 */
export function monotonicClock(): () => number {
  const [seconds, nanoseconds] = process.hrtime();
  const offset = seconds * 1000 + nanoseconds / 1e6 - performance.now();
  return () => performance.now() + offset;
}
