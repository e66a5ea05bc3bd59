import { describe, expect, it } from 'vitest';
import {
  AssemblyError,
  add,
  addRegister,
  and32,
  assemble,
  call,
  exit,
  jump,
  jumpIf,
  jumpIfRegister,
  type Line,
  label,
  load,
  move,
  move32,
  multiply32,
  Register,
  set,
  set32,
  setMap,
  shiftRight32,
  shiftRightBy32,
  store,
  storeNumber,
  xor32,
} from '../../../src/sys/bpf/index.ts';

const { R0, R1, R2, R6, FRAME } = Register;
const hex = (...lines: Line[]): string => Buffer.from(assemble(lines)).toString('hex');

describe('an instruction is laid out as RFC 9669 has it', () => {
  it.each<[string, Line, string]>([
    ['r6 = r1', move(R6, R1), 'bf16000000000000'],
    ['w6 = w1', move32(R6, R1), 'bc16000000000000'],
    ['r0 = 1', set(R0, 1), 'b700000001000000'],
    ['r0 = -1', set(R0, -1), 'b7000000ffffffff'],
    ['r2 += -16', add(R2, -16), '07020000f0ffffff'],
    ['r1 += r2', addRegister(R1, R2), '0f21000000000000'],
    ['w1 *= 5', multiply32(R1, 5), '2401000005000000'],
    ['w1 ^= w2', xor32(R1, R2), 'ac21000000000000'],
    ['w1 >>= 16', shiftRight32(R1, 16), '7401000010000000'],
    ['w1 >>= w2', shiftRightBy32(R1, R2), '7c21000000000000'],
    ['w1 = 0xfffffff0', set32(R1, 0xfffffff0), 'b4010000f0ffffff'],
    ['w1 &= 0x00ffffff', and32(R1, 0x00ffffff), '54010000ffffff00'],
    ['w1 &= 0xffffff00, a number of 32 bits', and32(R1, 0xffffff00), '5401000000ffffff'],
    ['r1 = *(u32 *)(r10 - 16)', load(4, R1, FRAME, -16), '61a1f0ff00000000'],
    ['r1 = *(u64 *)(r0 + 8)', load(8, R1, R0, 8), '7901080000000000'],
    ['r1 = *(u8 *)(r0 + 0)', load(1, R1, R0, 0), '7101000000000000'],
    ['*(u64 *)(r10 - 8) = r1', store(8, FRAME, -8, R1), '7b1af8ff00000000'],
    ['*(u16 *)(r10 - 2) = r1', store(2, FRAME, -2, R1), '6b1afeff00000000'],
    ['*(u32 *)(r10 - 4) = 0', storeNumber(4, FRAME, -4, 0), '620afcff00000000'],
    ['call 68', call(68), '8500000044000000'],
    ['exit', exit(), '9500000000000000'],
    ['r1 = map 7', setMap(R1, 7), '18110000070000000000000000000000'],
  ])('%s', (_, line, expected) => {
    expect(hex(line)).toBe(expected);
  });
});

describe('a jump', () => {
  it('leads forward to its label, counted from the instruction behind it', () => {
    expect(hex(jump('end'), set(R0, 1), label('end'), exit())).toBe(
      '0500010000000000b7000000010000009500000000000000',
    );
  });

  it('counts a wide load as two', () => {
    expect(hex(jump('end'), setMap(R0, 1), label('end'), exit())).toMatch(/^0500020000000000/);
  });

  it('leads backward, too', () => {
    expect(hex(label('start'), jump('start'))).toBe('0500ffff00000000');
  });

  it.each([
    ['==', '15', '1d'],
    ['!=', '55', '5d'],
    ['>', '25', '2d'],
    ['>=', '35', '3d'],
    ['<', 'a5', 'ad'],
    ['<=', 'b5', 'bd'],
  ] as const)('on %s compares with a number or a register', (condition, number, register) => {
    expect(hex(jumpIf(R1, condition, 5, 'x'), label('x'))).toBe(`${number}01000005000000`);
    expect(hex(jumpIfRegister(R1, condition, R2, 'x'), label('x'))).toBe(`${register}21000000000000`);
  });

  it('to a label that is missing, or there twice, is a fault of the program', () => {
    expect(() => assemble([jump('nowhere')])).toThrow(AssemblyError);
    expect(() => assemble([label('a'), label('a')])).toThrow(/twice/);
  });
});
