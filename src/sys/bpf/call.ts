import { constants } from 'node:os';
import { type Libc, requireLibc, SystemCallError } from '../libc.ts';
import { Memory } from '../memory.ts';
import { BpfError } from './errors.ts';
import { bpfRefusal } from './refusal.ts';

/** System call number of bpf(2) (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const SYSCALL_BPF = process.arch === 'x64' ? 321 : 280;
const RLIMIT_MEMLOCK = 8;
const RLIM_INFINITY_WORD = 0xffffffff;

/** Commands of bpf(2): include/uapi/linux/bpf.h. */
export const BpfCommand = {
  MAP_CREATE: 0,
  MAP_LOOKUP: 1,
  MAP_UPDATE: 2,
  MAP_DELETE: 3,
  PROGRAM_LOAD: 5,
  PROGRAM_TEST_RUN: 10,
  MAP_UPDATE_BATCH: 26,
  LINK_CREATE: 28,
} as const;
export type BpfCommand = (typeof BpfCommand)[keyof typeof BpfCommand];

/** union bpf_attr: each command reads its own struct; pointers are 64 bits wide. */
export class Attributes {
  readonly memory: Memory;
  private readonly bytes: number;
  private readonly view: DataView;

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    this.bytes = bytes;
    this.view = new DataView(this.memory.bytes.buffer);
  }

  get length(): number {
    return this.bytes;
  }

  setWord(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  word(at: number): number {
    return this.view.getUint32(at, true);
  }

  setPointer(at: number, address: number): void {
    this.view.setUint32(at, address % 0x1_0000_0000, true);
    this.view.setUint32(at + 4, Math.floor(address / 0x1_0000_0000), true);
  }

  /** Name that bpftool shows: at most 15 letters, digits, dots and underscores. */
  setName(at: number, name: string): void {
    this.memory.bytes.set(new TextEncoder().encode(name.slice(0, 15)), at);
  }
}

/**
 * Calls bpf(2).
 * @param bytes length of the attributes passed; those that the command does not read must be zero
 * @returns the kernel's result, or -1 on failure, with errno set.
 */
export function bpf(
  libc: Libc,
  command: BpfCommand,
  attributes: Attributes,
  bytes: number = attributes.length,
): number {
  return libc.syscall(SYSCALL_BPF, command, attributes.memory.address, bytes);
}

/**
 * Creates a map, program or link. Kernels before 5.11 count maps and programs as locked memory and fail with EPERM at the
 * limit; the limit is then raised and the call made once more.
 * @throws BpfError with the reason, if it is known.
 */
export function bpfDescriptor(command: BpfCommand, attributes: Attributes, what: string): number {
  const libc = requireLibc();
  let fd = bpf(libc, command, attributes);
  if (fd < 0 && libc.errno() === constants.errno.EPERM && raiseMemoryLimit(libc)) {
    fd = bpf(libc, command, attributes);
  }
  if (fd >= 0) return fd;
  const { code } = new SystemCallError('bpf', libc.errno());
  throw new BpfError(what, code, bpfRefusal(code));
}

function raiseMemoryLimit(libc: Libc): boolean {
  const limit = new Uint32Array(4).fill(RLIM_INFINITY_WORD);
  return libc.setrlimit(RLIMIT_MEMLOCK, limit) === 0;
}
