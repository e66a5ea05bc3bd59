/** Runs filters in the kernel on packets that are made here: what no socket of this machine could receive. */
import { it } from 'vitest';
import { formatAddress, type Prefix, parseAddress } from '../../../../src/net/index.ts';
import { Attributes } from '../../../../src/sys/bpf/call.ts';
import { type BpfError, BpfMap, BpfMapType } from '../../../../src/sys/bpf/index.ts';
import { requireLibc, SystemCallError } from '../../../../src/sys/libc.ts';
import { Memory } from '../../../../src/sys/memory.ts';

const SYSCALL_BPF = process.arch === 'x64' ? 321 : 280;
/** BPF_PROG_TEST_RUN: a frame of Ethernet in, what the program gives out. */
const TEST_RUN = 10;
const ETHERNET_BYTES = 14;

/** Why the kernel takes no maps from this process; null: it does. */
export const refusal = ((): BpfError | null => {
  try {
    new BpfMap({ type: BpfMapType.HASH, name: 'probe', keyBytes: 4, valueBytes: 1, maxEntries: 1 }).close();
    return null;
  } catch (error) {
    return error as BpfError;
  }
})();

/** A promise that holds where the kernel takes filters; elsewhere `otherwise` holds it to a clean refusal. */
export function promises(
  what: string,
  body: () => Promise<void> | void,
  otherwise: () => Promise<void> | void,
): void {
  it(what, () => (refusal === null ? body() : otherwise()));
}

/** What a filter gives for a UDP packet from `source`: bytes that stay, 0 where it is dropped. */
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

/** An address of a prefix: its own bits, and `rest` behind them. */
export function addressIn({ family, bytes, length }: Prefix, rest: Uint8Array): string {
  const address = bytes.map((octet, index) => {
    const own = Math.max(0, Math.min(8, length - index * 8));
    return octet | (rest[index] & (0xff >> own));
  });
  return formatAddress({ family, bytes: address });
}
