import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type Libc, requireLibc, SystemCallError } from '../libc.ts';
import { Memory } from '../memory.ts';
import { closeSocket } from '../socket.ts';
import { Attributes, BpfCommand, bpf, bpfDescriptor } from './call.ts';
import { BpfError } from './errors.ts';

/** Kinds of map (include/uapi/linux/bpf.h). */
export const BpfMapType = { HASH: 1, ARRAY: 2, PER_CPU_ARRAY: 6, XSK: 17 } as const;
export type BpfMapType = (typeof BpfMapType)[keyof typeof BpfMapType];

/** Length of an element command's attributes, in bytes, value not counted. */
const KEY_ATTRIBUTES = 16;
/** Most entries of one batch. A larger batch would block this thread for longer. */
export const BATCH_ENTRIES = 4096;

export interface BpfMapOptions {
  readonly type: BpfMapType;
  /** Name that bpftool shows: at most 15 letters, digits, dots and underscores. */
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** A map that BPF programs read or write. */
export class BpfMap {
  readonly fd: number;
  readonly options: BpfMapOptions;
  private readonly libc: Libc = requireLibc();
  private readonly element = new Attributes(32);
  private readonly key: Memory;
  private readonly value: Memory;
  private readonly view: DataView;
  private isOpen = true;
  /** Allocated by the first batch. */
  private batch: { attributes: Attributes; keys: Memory; values: Memory } | null = null;

  /** @throws BpfError */
  constructor(options: BpfMapOptions) {
    this.options = options;
    const { type, keyBytes, valueBytes, maxEntries, name } = options;
    const create = new Attributes(48);
    for (const [at, word] of [type, keyBytes, valueBytes, maxEntries].entries()) create.setWord(at * 4, word);
    create.setName(28, name);
    this.key = new Memory(keyBytes);
    // A per-CPU map has one value per processor, aligned to 8 bytes.
    const copies = type === BpfMapType.PER_CPU_ARRAY ? possibleProcessors() : 1;
    this.value = new Memory(Math.ceil(valueBytes / 8) * 8 * copies);
    this.view = new DataView(this.value.bytes.buffer);
    this.fd = bpfDescriptor(BpfCommand.MAP_CREATE, create, `a map of ${maxEntries} entries`);
    this.element.setWord(0, this.fd);
    this.element.setPointer(8, this.key.address);
    this.element.setPointer(16, this.value.address);
  }

  /**
   * Sets an entry. Programs see it once this returns.
   * @returns false if the map is full or memory has run out.
   * @throws SystemCallError
   */
  set(key: Uint8Array, value: Uint8Array): boolean {
    this.key.bytes.set(key);
    this.value.bytes.set(value);
    if (bpf(this.libc, BpfCommand.MAP_UPDATE, this.element) === 0) return true;
    return this.isFull();
  }

  /** Deletes an entry. @returns false if there was none. @throws SystemCallError */
  delete(key: Uint8Array): boolean {
    this.key.bytes.set(key);
    if (bpf(this.libc, BpfCommand.MAP_DELETE, this.element, KEY_ATTRIBUTES) === 0) return true;
    if (this.libc.errno() === constants.errno.ENOENT) return false;
    throw new SystemCallError('bpf', this.libc.errno());
  }

  /** Looks an entry up. @throws SystemCallError */
  has(key: Uint8Array): boolean {
    this.key.bytes.set(key);
    if (bpf(this.libc, BpfCommand.MAP_LOOKUP, this.element) === 0) return true;
    if (this.libc.errno() === constants.errno.ENOENT) return false;
    throw new SystemCallError('bpf', this.libc.errno());
  }

  /** Sums the 64-bit number at `offset` of an array's value over all processors. @throws SystemCallError */
  sum(index: number, offset: number): number {
    new DataView(this.key.bytes.buffer).setUint32(0, index, true);
    if (bpf(this.libc, BpfCommand.MAP_LOOKUP, this.element) !== 0) {
      throw new SystemCallError('bpf', this.libc.errno());
    }
    const stride = Math.ceil(this.options.valueBytes / 8) * 8;
    const length = this.options.type === BpfMapType.PER_CPU_ARRAY ? possibleProcessors() * stride : stride;
    let sum = 0;
    for (let at = offset; at < length; at += stride) sum += Number(this.view.getBigUint64(at, true));
    return sum;
  }

  /**
   * Sets entries, by one system call on kernels with batches (5.6).
   * @param keys one behind the other, like the values
   * @param count at most BATCH_ENTRIES
   * @returns false if the map is full or memory has run out; some entries may then be set.
   * @throws SystemCallError
   */
  setAll(keys: Uint8Array, values: Uint8Array, count: number): boolean {
    const batch = this.batchMemory();
    batch.keys.bytes.set(keys);
    batch.values.bytes.set(values);
    batch.attributes.setWord(32, count);
    if (bpf(this.libc, BpfCommand.MAP_UPDATE_BATCH, batch.attributes) === 0) return true;
    // A kernel without batches rejects the command. Any other error shows again when set one by one.
    return this.setEach(keys, values, count);
  }

  close(): void {
    if (this.isOpen) closeSocket(this.fd);
    this.isOpen = false;
  }

  private setEach(keys: Uint8Array, values: Uint8Array, count: number): boolean {
    const { keyBytes, valueBytes } = this.options;
    for (let i = 0; i < count; i++) {
      const key = keys.subarray(i * keyBytes, (i + 1) * keyBytes);
      if (!this.set(key, values.subarray(i * valueBytes, (i + 1) * valueBytes))) return false;
    }
    return true;
  }

  private isFull(): false {
    const errno = this.libc.errno();
    if (errno === constants.errno.E2BIG || errno === constants.errno.ENOMEM) return false;
    throw new SystemCallError('bpf', errno);
  }

  private batchMemory(): { attributes: Attributes; keys: Memory; values: Memory } {
    if (this.batch !== null) return this.batch;
    const { keyBytes, valueBytes } = this.options;
    const attributes = new Attributes(56);
    const keys = new Memory(keyBytes * BATCH_ENTRIES);
    const values = new Memory(valueBytes * BATCH_ENTRIES);
    attributes.setPointer(16, keys.address);
    attributes.setPointer(24, values.address);
    attributes.setWord(36, this.fd);
    this.batch = { attributes, keys, values };
    return this.batch;
  }
}

let processors = 0;

/** Possible processors, including absent ones: `0-7` is 8. */
function possibleProcessors(): number {
  if (processors === 0) {
    processors = Number(readPossible().split(/[-,]/).at(-1)) + 1;
  }
  return processors;
}

/** @throws BpfError where /sys is not mounted (a chroot, a sandbox) */
function readPossible(): string {
  try {
    return readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new BpfError('a map', code, '/sys/devices/system/cpu/possible is not readable');
  }
}
