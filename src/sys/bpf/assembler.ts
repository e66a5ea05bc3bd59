/**
 * An assembler for eBPF (RFC 9669): each function makes one instruction, `assemble` lays them out. It covers what a
 * packet filter needs, nothing else.
 */

/** R0: result; R1 to R5: arguments, clobbered by calls; R6 to R9: preserved by calls; R10: frame pointer, read-only. */
export const Register = {
  R0: 0,
  R1: 1,
  R2: 2,
  R3: 3,
  R4: 4,
  R5: 5,
  R6: 6,
  R7: 7,
  R8: 8,
  R9: 9,
  FRAME: 10,
} as const;
export type Register = (typeof Register)[keyof typeof Register];

/** Size codes of loads and stores (RFC 9669 5.1). */
const SIZE = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 } as const;
export type Size = keyof typeof SIZE;

/** Conditions, all unsigned (RFC 9669 4.3). */
const CONDITION = { '==': 0x10, '>': 0x20, '>=': 0x30, '!=': 0x50, '<': 0xa0, '<=': 0xb0 } as const;
export type Condition = keyof typeof CONDITION;

/* Classes and modes of the opcode's byte (RFC 9669 3.1). */
const LD = 0x00;
const LDX = 0x01;
const ST = 0x02;
const STX = 0x03;
const ALU32 = 0x04;
const JUMP = 0x05;
const ALU64 = 0x07;
const MEMORY = 0x60;
const FROM_REGISTER = 0x08;
const ADD = 0x00;
const MULTIPLY = 0x20;
const AND = 0x50;
const SHIFT_RIGHT = 0x70;
const XOR = 0xa0;
const MOVE = 0xb0;
const CALL = 0x80;
const EXIT = 0x90;
/** Source register value of a wide load whose immediate is a map's descriptor. */
const MAP_DESCRIPTOR = 1;

export const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly opcode: number;
  readonly to?: Register;
  readonly from?: number;
  readonly offset?: number;
  readonly immediate?: number;
  /** Upper half of a wide load's immediate; takes an instruction of its own. */
  readonly upper?: number;
  /** Target label of a jump. */
  readonly target?: string;
}

/** A jump target. */
interface Label {
  readonly label: string;
}

export type Line = Instruction | Label;

/** The program has a label that is missing or defined twice. */
export class AssemblyError extends Error {
  readonly code = 'bpf_assembly';
  constructor(message: string) {
    super(message);
    this.name = 'AssemblyError';
  }
}

export const label = (name: string): Line => ({ label: name });

/** to = from, 64 bits. */
export const move = (to: Register, from: Register): Line => ({
  opcode: ALU64 | MOVE | FROM_REGISTER,
  to,
  from,
});

/** to = the lower 32 bits of from, the upper ones zero. */
export const move32 = (to: Register, from: Register): Line => ({
  opcode: ALU32 | MOVE | FROM_REGISTER,
  to,
  from,
});

/** to = a sign-extended 32-bit number. */
export const set = (to: Register, immediate: number): Line => ({ opcode: ALU64 | MOVE, to, immediate });

/** to = a map's address, from its descriptor; calls take it as an argument. */
export const setMap = (to: Register, descriptor: number): Line => ({
  opcode: LD | SIZE[8],
  to,
  from: MAP_DESCRIPTOR,
  immediate: descriptor,
  upper: 0,
});

/** to += a sign-extended 32-bit number. */
export const add = (to: Register, immediate: number): Line => ({ opcode: ALU64 | ADD, to, immediate });

/** to += from, 64 bits. */
export const addRegister = (to: Register, from: Register): Line => ({
  opcode: ALU64 | ADD | FROM_REGISTER,
  to,
  from,
});

/** to *= a number, 32 bits. */
export const multiply32 = (to: Register, immediate: number): Line => ({
  opcode: ALU32 | MULTIPLY,
  to,
  immediate,
});

/** to ^= from, 32 bits. */
export const xor32 = (to: Register, from: Register): Line => ({
  opcode: ALU32 | XOR | FROM_REGISTER,
  to,
  from,
});

/** to >>>= a number of bits, 32 bits. */
export const shiftRight32 = (to: Register, bits: number): Line => ({
  opcode: ALU32 | SHIFT_RIGHT,
  to,
  immediate: bits,
});

/** to >>>= the last five bits of from, 32 bits. */
export const shiftRightBy32 = (to: Register, from: Register): Line => ({
  opcode: ALU32 | SHIFT_RIGHT | FROM_REGISTER,
  to,
  from,
});

/** to = an unsigned 32-bit number. */
export const set32 = (to: Register, immediate: number): Line => ({ opcode: ALU32 | MOVE, to, immediate });

/** to &= a 32-bit number; the upper 32 bits become zero. */
export const and32 = (to: Register, immediate: number): Line => ({ opcode: ALU32 | AND, to, immediate });

/** to = the memory at from + offset. */
export const load = (size: Size, to: Register, from: Register, offset: number): Line => ({
  opcode: LDX | MEMORY | SIZE[size],
  to,
  from,
  offset,
});

/** The memory at to + offset = from. */
export const store = (size: Size, to: Register, offset: number, from: Register): Line => ({
  opcode: STX | MEMORY | SIZE[size],
  to,
  from,
  offset,
});

/** The memory at to + offset = a number. */
export const storeNumber = (size: Size, to: Register, offset: number, immediate: number): Line => ({
  opcode: ST | MEMORY | SIZE[size],
  to,
  offset,
  immediate,
});

export const jump = (target: string): Line => ({ opcode: JUMP, target });

/** Jumps if the comparison of a register with a number holds (unsigned, 64 bits). */
export const jumpIf = (to: Register, condition: Condition, immediate: number, target: string): Line => ({
  opcode: JUMP | CONDITION[condition],
  to,
  immediate,
  target,
});

/** Jumps if the comparison of two registers holds (unsigned, 64 bits). */
export const jumpIfRegister = (to: Register, condition: Condition, from: Register, target: string): Line => ({
  opcode: JUMP | CONDITION[condition] | FROM_REGISTER,
  to,
  from,
  target,
});

/** Calls a kernel helper by its number in include/uapi/linux/bpf.h; the result is in R0. */
export const call = (helper: number): Line => ({ opcode: JUMP | CALL, immediate: helper });

/** Ends the program; R0 is its result. */
export const exit = (): Line => ({ opcode: JUMP | EXIT });

/**
 * Encodes a program for the kernel: little-endian, 8 bytes an instruction, relative jumps.
 * @throws AssemblyError
 */
export function assemble(lines: readonly Line[]): Uint8Array {
  const { places, count } = placeLabels(lines);
  const bytes = new Uint8Array(count * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const line of lines) {
    if ('label' in line) continue;
    const { opcode, to = 0, from = 0, offset = 0, immediate = 0, upper, target } = line;
    write(
      view,
      at,
      opcode,
      to | (from << 4),
      target === undefined ? offset : distance(places, target, at),
      immediate,
    );
    at += 1;
    if (upper === undefined) continue;
    write(view, at, 0, 0, 0, upper);
    at += 1;
  }
  return bytes;
}

function placeLabels(lines: readonly Line[]): { places: Map<string, number>; count: number } {
  const places = new Map<string, number>();
  let count = 0;
  for (const line of lines) {
    if (!('label' in line)) {
      count += line.upper === undefined ? 1 : 2;
      continue;
    }
    if (places.has(line.label)) throw new AssemblyError(`the label ${line.label} is there twice`);
    places.set(line.label, count);
  }
  return { places, count };
}

function distance(places: ReadonlyMap<string, number>, target: string, at: number): number {
  const place = places.get(target);
  if (place === undefined) throw new AssemblyError(`the label ${target} is missing`);
  return place - at - 1;
}

function write(
  view: DataView,
  at: number,
  opcode: number,
  registers: number,
  offset: number,
  immediate: number,
): void {
  const start = at * INSTRUCTION_BYTES;
  view.setUint8(start, opcode);
  view.setUint8(start + 1, registers);
  view.setInt16(start + 2, offset, true);
  view.setInt32(start + 4, immediate | 0, true);
}
