import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { describe, expect, it } from 'vitest';
import { askForSlice } from '../../src/sys/index.ts';

/** This thread's slice in nanoseconds, from kernels of 6.12 and later; null on others. */
function sliceNs(): number | null {
  const found = /^se\.slice\s*:\s*(\d+)$/m.exec(readFileSync('/proc/self/sched', 'utf8'));
  return found === null ? null : Number(found[1]);
}

describe('a slice of the processor', () => {
  it('is as short as was asked for, and the niceness stays', () => {
    const niceness = getPriority(0);
    const taken = askForSlice(400);
    expect(getPriority(0)).toBe(niceness);
    expect(sliceNs()).toBe(taken && sliceNs() !== null ? 400_000 : sliceNs());
  });
});
