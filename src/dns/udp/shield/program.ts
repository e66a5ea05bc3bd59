import {
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
  Register,
  set,
  set32,
  setMap,
  shiftRight32,
  shiftRightBy32,
  store,
  storeNumber,
} from '../../../sys/bpf/index.ts';
import { hashLines, mixLines, saltOf } from './hash.ts';
import { PROBE_BITS, PROBES, SECOND_HASH, type SourceSet } from './source-set.ts';

const { R0, R1, R2, R3, R4, R5, R6, R7, R8, FRAME } = Register;

/** Functions of the kernel (include/uapi/linux/bpf.h). */
const MAP_LOOKUP = 1;
const RANDOM_32 = 7;
const LOAD_BYTES_RELATIVE = 68;
const FROM_NETWORK_HEADER = 1;

/** Place of the source address in the header: RFC 791 3.1, RFC 8200 3. */
const SOURCE = { 4: { offset: 12, bytes: 4 }, 6: { offset: 8, bytes: 16 } } as const;

/** Offsets below the frame pointer: the source, and an index into an array. */
const ADDRESS = -16;
const INDEX = -20;

/** Longer than any packet: cuts nothing off. */
const WHOLE = 0x7fffffff;

/** Offsets in the counting map's one entry: packets dropped, and packets passed as a sample. */
export const DROPPED_OFFSET = 0;
export const SAMPLED_OFFSET = 8;
export const COUNTS_BYTES = 16;

/**
 * Filter for an IPv4 or IPv6 socket: passes packets whose source is in the set, and a sample of the others, as many
 * of 2^32 as the control map says. Passes unreadable packets, which decide handles.
 * @param lengths prefix lengths of this family in the set
 * @param control array of one 32-bit number
 * @param counts array of COUNTS_BYTES per processor
 */
export function shieldProgram(
  family: 4 | 6,
  lengths: readonly number[],
  sources: SourceSet,
  control: number,
  counts: number,
): Uint8Array {
  return assemble([
    ...loadSource(family),
    ...lengths.flatMap((length) => passIfIn(sources, family, length)),
    ...drawLot(control),
    ...count(counts, DROPPED_OFFSET),
    ...[set(R0, 0), exit()],
    label('sampled'),
    ...count(counts, SAMPLED_OFFSET),
    ...[label('pass'), set(R0, WHOLE), exit()],
  ]);
}

function loadSource(family: 4 | 6): Line[] {
  const { offset, bytes } = SOURCE[family];
  return [
    ...[move(R6, R1), set(R2, offset), move(R3, FRAME), add(R3, ADDRESS), set(R4, bytes)],
    ...[set(R5, FROM_NETWORK_HEADER), call(LOAD_BYTES_RELATIVE), jumpIf(R0, '!=', 0, 'pass')],
  ];
}

/** Passes a source whose first `length` bits are in the set, that is, all of its bits are set in its line. */
function passIfIn(sources: SourceSet, family: 4 | 6, length: number): Line[] {
  const next = `not-in-${length}`;
  return [
    ...[set32(R7, saltOf(sources.seed, family, length)), ...hashLines(R7, ADDRESS, length)],
    ...[move32(R8, R7), and32(R7, sources.lines - 1), store(4, FRAME, INDEX, R7)],
    ...[set32(R1, SECOND_HASH), ...mixLines(R8, R1, R2)],
    ...[...entryAtIndex(sources.map.fd), jumpIf(R0, '==', 0, 'pass')],
    ...Array.from({ length: PROBES }, (_, probe) => goOnUnlessSet(probe * PROBE_BITS, next)).flat(),
    ...[jump('pass'), label(next)],
  ];
}

/** Tests the bit that R8 >>> `shift` names in the line at R0. */
function goOnUnlessSet(shift: number, next: string): Line[] {
  return [
    ...[move32(R1, R8), shiftRight32(R1, shift), move32(R2, R1), shiftRight32(R2, 3), and32(R2, 0x3c)],
    ...[move(R3, R0), addRegister(R3, R2), load(4, R4, R3, 0)],
    ...[and32(R1, 31), shiftRightBy32(R4, R1), and32(R4, 1), jumpIf(R4, '==', 0, next)],
  ];
}

/** Continues with packets that are not drawn as a sample. */
function drawLot(control: number): Line[] {
  return [
    ...[call(RANDOM_32), move32(R7, R0)],
    ...entry(control),
    ...[jumpIf(R0, '==', 0, 'pass'), load(4, R1, R0, 0), jumpIfRegister(R7, '<', R1, 'sampled')],
  ];
}

/** Adds one for this processor. Not atomic: packets arrive with interrupts off, so nothing else counts on it. */
function count(counts: number, offset: number): Line[] {
  const counted = `counted-${offset}`;
  return [
    ...entry(counts),
    ...[jumpIf(R0, '==', 0, counted), load(8, R1, R0, offset), add(R1, 1), store(8, R0, offset, R1)],
    label(counted),
    ...(offset === SAMPLED_OFFSET ? [jump('pass')] : []),
  ];
}

/** R0 = address of an array's only entry. 0 never happens, but the verifier requires the check. */
function entry(array: number): Line[] {
  return [storeNumber(4, FRAME, INDEX, 0), ...entryAtIndex(array)];
}

function entryAtIndex(array: number): Line[] {
  return [setMap(R1, array), move(R2, FRAME), add(R2, INDEX), call(MAP_LOOKUP)];
}
