import { getPriority } from 'node:os';
import { requireLibc } from './libc.ts';
import { Memory } from './memory.ts';

/* sched_setattr(2): its number, and struct sched_attr as of its first version (include/uapi/linux/sched/types.h). */
const SYSCALL_SCHED_SETATTR = process.arch === 'x64' ? 314 : 274;
const ATTRIBUTES_BYTES = 48;
const SIZE_AT = 0;
const FLAGS_AT = 8;
/** SCHED_FLAG_KEEP_POLICY */
const KEEP_POLICY = 0x08;
const NICE_AT = 16;
/** Time slice requested for a thread of the normal policy. */
const RUNTIME_AT = 24;

/**
 * Requests a shorter time slice for this thread: on wake-up it is scheduled sooner beside busy threads, with the same share
 * of time in total. Linux 6.12 and later (sched(7)), no effect before. Needs no privileges.
 * @returns true if the kernel accepted it
 */
export function askForSlice(microseconds: number): boolean {
  const attributes = new Memory(ATTRIBUTES_BYTES);
  const view = new DataView(attributes.bytes.buffer);
  view.setUint32(SIZE_AT, ATTRIBUTES_BYTES, true);
  view.setUint32(FLAGS_AT, KEEP_POLICY, true);
  view.setInt32(NICE_AT, getPriority(0), true);
  view.setUint32(RUNTIME_AT, microseconds * 1000, true);
  return requireLibc().syscall(SYSCALL_SCHED_SETATTR, 0, attributes.address, 0) === 0;
}
