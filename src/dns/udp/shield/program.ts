import {
  add,
  and,
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
  setMap,
  setWide,
  store,
  storeNumber,
} from '../../../sys/bpf/index.ts';

const { R0, R1, R2, R3, R4, R5, R6, R7, FRAME } = Register;

/** Functions of the kernel (include/uapi/linux/bpf.h). */
const MAP_LOOKUP = 1;
const RANDOM_32 = 7;
const LOAD_BYTES_RELATIVE = 68;
const FROM_NETWORK_HEADER = 1;

/** Where the source's address is in the header: RFC 791 3.1, RFC 8200 3. */
const SOURCE = { 4: { offset: 12, bytes: 4 }, 6: { offset: 8, bytes: 16 } } as const;

/** Below the frame's pointer: the source, the key made of it, an index. */
const ADDRESS = -16;
const KEY = -32;
const INDEX = -36;

/** More octets than a packet has: nothing is cut off. */
const WHOLE = 0x7fffffff;

/** A map of prefixes of one length, by its descriptor. */
export interface KindOfPrefix {
  readonly length: number;
  readonly fd: number;
}

/** In the one entry of the map that counts: packets dropped, and those that passed as a sample. */
export const DROPPED_OFFSET = 0;
export const SAMPLED_OFFSET = 8;
export const COUNTS_BYTES = 16;

/**
 * The filter of an IPv4 or IPv6 socket: a packet passes whose source lies in one of the maps; of the others a part, so
 * many of 2^32 as the first word of the control map says. What cannot be read passes: it is no business of a filter.
 *
 * @param control an array of one 32-bit number
 * @param counts an array, a copy for each processor, of COUNTS_BYTES
 */
export function shieldProgram(
  family: 4 | 6,
  kinds: readonly KindOfPrefix[],
  control: number,
  counts: number,
): Uint8Array {
  return assemble([
    ...loadSource(family),
    ...kinds.flatMap((kind) => [...makeKey(family, kind.length), ...passIfIn(kind.fd)]),
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

/** The first `length` bits of the source, as a map's key has them: in the order of the network. */
function makeKey(family: 4 | 6, length: number): Line[] {
  if (family === 4) {
    const mask = length === 32 ? [] : [and32(R1, maskWord(length))];
    return [load(4, R1, FRAME, ADDRESS), ...mask, store(4, FRAME, KEY, R1)];
  }
  const first = half(0, Math.min(length, 64));
  return length <= 64 ? first : [...first, ...half(8, length - 64)];
}

/** Eight octets of an IPv6 source with `length` of their bits. */
function half(at: 0 | 8, length: number): Line[] {
  const mask =
    length === 64
      ? []
      : [setWide(R2, maskWord(Math.min(length, 32)), maskWord(Math.max(length - 32, 0))), and(R1, R2)];
  return [load(8, R1, FRAME, ADDRESS + at), ...mask, store(8, FRAME, KEY + at, R1)];
}

/** The first `length` bits of four octets in the order of the network, as a little-endian processor reads them. */
function maskWord(length: number): number {
  const bits = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setUint32(0, bits);
  return bytes.getInt32(0, true);
}

function passIfIn(map: number): Line[] {
  return [
    ...[setMap(R1, map), move(R2, FRAME), add(R2, KEY)],
    ...[call(MAP_LOOKUP), jumpIf(R0, '!=', 0, 'pass')],
  ];
}

/** Goes on with those that are not drawn. */
function drawLot(control: number): Line[] {
  return [
    ...[call(RANDOM_32), move32(R7, R0)],
    ...entry(control),
    ...[jumpIf(R0, '==', 0, 'pass'), load(4, R1, R0, 0), jumpIfRegister(R7, '<', R1, 'sampled')],
  ];
}

/** Adds one for this processor: nothing else on it counts meanwhile, as packets come in with interrupts held off. */
function count(counts: number, offset: number): Line[] {
  const counted = `counted-${offset}`;
  return [
    ...entry(counts),
    ...[jumpIf(R0, '==', 0, counted), load(8, R1, R0, offset), add(R1, 1), store(8, R0, offset, R1)],
    label(counted),
    ...(offset === SAMPLED_OFFSET ? [jump('pass')] : []),
  ];
}

/** R0 = the address of an array's one entry; 0 never happens, but the verifier does not know. */
function entry(array: number): Line[] {
  return [
    ...[storeNumber(4, FRAME, INDEX, 0), setMap(R1, array), move(R2, FRAME), add(R2, INDEX)],
    call(MAP_LOOKUP),
  ];
}
