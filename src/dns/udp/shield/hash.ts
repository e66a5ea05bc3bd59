import {
  and32,
  type Line,
  load,
  move32,
  multiply32,
  Register,
  shiftRight32,
  xor32,
} from '../../../sys/bpf/index.ts';

/*
 * One hash twice: for this process, which notes what is listed, and for the filter, which looks it up. It is murmur3's
 * finalizer over the words of a prefix, as a little-endian processor reads them from a packet.
 */
const FIRST_FACTOR = 0x85ebca6b;
const SECOND_FACTOR = 0xc2b2ae35;

/** Mixes the words; `hash` is 32 bits of which nobody knows where they come from. */
export function mix(hash: number, word: number): number {
  let h = hash ^ word;
  h = Math.imul(h ^ (h >>> 16), FIRST_FACTOR);
  h = Math.imul(h ^ (h >>> 13), SECOND_FACTOR);
  return h ^ (h >>> 16);
}

/** What the hash of each prefix of a family and length begins with. @param seed 32 secret bits */
export function saltOf(seed: number, family: 4 | 6, length: number): number {
  return mix(seed, (family << 8) | length);
}

/** 32-bit words that hold a prefix. */
export function wordsOf(length: number): number {
  return Math.ceil(length / 32);
}

/** The hash of a prefix whose bytes stand at `at`, zero past its length. */
export function hashAt(salt: number, octets: DataView, at: number, length: number): number {
  let hash = salt;
  for (let word = 0; word < wordsOf(length); word++) hash = mix(hash, octets.getInt32(at + 4 * word, true));
  return hash;
}

/** to = mix(to, word), in a filter; `spare` is lost. */
export function mixLines(to: Register, word: Register, spare: Register): Line[] {
  const fold = (bits: number): Line[] => [move32(spare, to), shiftRight32(spare, bits), xor32(to, spare)];
  return [
    ...[xor32(to, word), ...fold(16), multiply32(to, FIRST_FACTOR)],
    ...[...fold(13), multiply32(to, SECOND_FACTOR), ...fold(16)],
  ];
}

/** to = the hash of the prefix of `length` bits at frame + `at`, in a filter; it begins with the salt. R1 and R2 are lost. */
export function hashLines(to: Register, at: number, length: number): Line[] {
  const { R1, R2, FRAME } = Register;
  return Array.from({ length: wordsOf(length) }, (_, word) => {
    const bits = Math.min(32, length - 32 * word);
    const mask = bits === 32 ? [] : [and32(R1, maskOf(bits))];
    return [load(4, R1, FRAME, at + 4 * word), ...mask, ...mixLines(to, R1, R2)];
  }).flat();
}

/** The first `bits` of four bytes in the order of the network, as a little-endian processor reads them. */
function maskOf(bits: number): number {
  const octets = new DataView(new ArrayBuffer(4));
  octets.setInt32(0, -1 << (32 - bits));
  return octets.getInt32(0, true);
}
