import { requireLibc } from './libc.ts';

const READINGS = 8;

/**
 * A monotonic clock in milliseconds (CLOCK_MONOTONIC), the same in all threads of the process. Unlike process.hrtime,
 * reading it allocates nothing.
 */
export function monotonicClock(): () => number {
  const offset = monotonicOffset();
  return () => performance.now() + offset;
}

/** Writes the same clock to out[0]; returning a fractional number would allocate at each call. */
export function monotonicClockInto(): (out: Float64Array) => void {
  const offset = monotonicOffset();
  return (out) => {
    out[0] = performance.now() + offset;
  };
}

function monotonicOffset(): number {
  // A delay between the two readings makes an offset too small, so the largest offset is the best.
  let offset = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < READINGS; i++) {
    const [seconds, nanoseconds] = process.hrtime();
    offset = Math.max(offset, seconds * 1000 + nanoseconds / 1e6 - performance.now());
  }
  return offset;
}

/** Blocks the thread for that long, plus about 50 us of timer slack (prctl(2)). */
export function sleepMicroseconds(microseconds: number): void {
  requireLibc().usleep(microseconds);
}
