/** Runs filters in the kernel on packets that no socket of this machine could receive. */
import { it } from 'vitest';
import { formatAddress, type Prefix, parseAddress } from '../../../../src/net/index.ts';
import { Attributes } from '../../../../src/sys/bpf/call.ts';
import { type BpfError, BpfMap, BpfMapType } from '../../../../src/sys/bpf/index.ts';
import { requireLibc, SystemCallError } from '../../../../src/sys/libc.ts';
import { Memory } from '../../../../src/sys/memory.ts';

const SYSCALL_BPF = process.arch === 'x64' ? 321 : 280;
/** BPF_PROG_TEST_RUN: takes an Ethernet frame, returns the program's result. */
const TEST_RUN = 10;
const ETHERNET_BYTES = 14;

/** The kernel's reason to refuse maps from this process; null if it accepts them. */
export const refusal = ((): BpfError | null => {
  try {
    new BpfMap({ type: BpfMapType.HASH, name: 'probe', keyBytes: 4, valueBytes: 1, maxEntries: 1 }).close();
    return null;
  } catch (error) {
    return error as BpfError;
  }
})();

/** A test for kernels that accept filters; elsewhere `otherwise` checks for a clean refusal. */
export function promises(
  what: string,
  body: () => Promise<void> | void,
  otherwise: () => Promise<void> | void,
): void {
  it(what, () => (refusal === null ? body() : otherwise()));
}

/** Runs a filter on a UDP packet from `source`. @returns bytes kept; 0 if dropped */
export function runFilter(program: number, source: string): number {
  const { family, bytes } = parseAddress(source)!;
  const frame = new Memory(128);
  const header = ETHERNET_BYTES + (family === 4 ? 20 : 40);
  const length = header + 8 + 12;
  frame.bytes[12] = family === 4 ? 0x08 : 0x86;
  frame.bytes[13] = family === 4 ? 0x00 : 0xdd;
  frame.bytes[ETHERNET_BYTES] = family === 4 ? 0x45 : 0x60;
  frame.bytes.set(bytes, ETHERNET_BYTES + (family === 4 ? 12 : 8));
  const attributes = new Attributes(40);
  attributes.setWord(0, program);
  attributes.setWord(8, length);
  attributes.setPointer(16, frame.address);
  attributes.setWord(32, 1);
  const libc = requireLibc();
  if (libc.syscall(SYSCALL_BPF, TEST_RUN, attributes.memory.address, attributes.length) !== 0) {
    throw new SystemCallError('bpf', libc.errno());
  }
  return attributes.word(4);
}

/** An address in a prefix: the prefix's bits, then `rest`. */
export function addressIn({ family, bytes, length }: Prefix, rest: Uint8Array): string {
  const address = bytes.map((byte, index) => {
    const own = Math.max(0, Math.min(8, length - index * 8));
    return byte | (rest[index] & (0xff >> own));
  });
  return formatAddress({ family, bytes: address });
}
