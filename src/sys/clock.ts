import { requireLibc } from './libc.ts';

const READINGS = 8;

/**
 * A clock in milliseconds that never goes back (CLOCK_MONOTONIC) and is the same in all threads of the
 * process. Reading it allocates nothing, which process.hrtime would.
 */
export function monotonicClock(): () => number {
  const offset = monotonicOffset();
  return () => performance.now() + offset;
}

/** The same clock, written to out[0]: a number with a fraction that is returned is allocated at each call. */
export function monotonicClockInto(): (out: Float64Array) => void {
  const offset = monotonicOffset();
  return (out) => {
    out[0] = performance.now() + offset;
  };
}

function monotonicOffset(): number {
  // A thread that is held up between the two readings gets an offset that is too small: the largest is the truest.
  let offset = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < READINGS; i++) {
    const [seconds, nanoseconds] = process.hrtime();
    offset = Math.max(offset, seconds * 1000 + nanoseconds / 1e6 - performance.now());
  }
  return offset;
}

/** Keeps the thread from going on for so long, and some 50 us more (the timer slack of prctl(2)). */
export function sleepMicroseconds(microseconds: number): void {
  requireLibc().usleep(microseconds);
}
