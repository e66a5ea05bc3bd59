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
 * One hash in two forms: for this process, which fills the set, and for the filter, which looks prefixes up. It is
 * murmur3's finalizer over the words of a prefix, as a little-endian processor reads them from a packet.
 */
const FIRST_FACTOR = 0x85ebca6b;
const SECOND_FACTOR = 0xc2b2ae35;

/** Mixes a word in; `hash` is any 32 bits. */
export function mix(hash: number, word: number): number {
  let h = hash ^ word;
  h = Math.imul(h ^ (h >>> 16), FIRST_FACTOR);
  h = Math.imul(h ^ (h >>> 13), SECOND_FACTOR);
  return h ^ (h >>> 16);
}

/** Initial hash for the prefixes of a family and length. @param seed 32 secret bits */
export function saltOf(seed: number, family: 4 | 6, length: number): number {
  return mix(seed, (family << 8) | length);
}

/** Number of 32-bit words that hold a prefix. */
export function wordsOf(length: number): number {
  return Math.ceil(length / 32);
}

/** Hash of the prefix at `at`, whose bytes past its length are zero. */
export function hashAt(salt: number, bytes: DataView, at: number, length: number): number {
  let hash = salt;
  for (let word = 0; word < wordsOf(length); word++) hash = mix(hash, bytes.getInt32(at + 4 * word, true));
  return hash;
}

/** Filter code: to = mix(to, word). Overwrites `spare`. */
export function mixLines(to: Register, word: Register, spare: Register): Line[] {
  const fold = (bits: number): Line[] => [move32(spare, to), shiftRight32(spare, bits), xor32(to, spare)];
  return [
    ...[xor32(to, word), ...fold(16), multiply32(to, FIRST_FACTOR)],
    ...[...fold(13), multiply32(to, SECOND_FACTOR), ...fold(16)],
  ];
}

/**
 * Filter code: to = hash of the prefix of `length` bits at frame + `at`, starting from the salt in `to`. Overwrites
 * R1 and R2.
 */
export function hashLines(to: Register, at: number, length: number): Line[] {
  const { R1, R2, FRAME } = Register;
  return Array.from({ length: wordsOf(length) }, (_, word) => {
    const bits = Math.min(32, length - 32 * word);
    const mask = bits === 32 ? [] : [and32(R1, maskOf(bits))];
    return [load(4, R1, FRAME, at + 4 * word), ...mask, ...mixLines(to, R1, R2)];
  }).flat();
}

/** Mask for the first `bits` of four bytes in network order, as a little-endian processor reads them. */
function maskOf(bits: number): number {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setInt32(0, -1 << (32 - bits));
  return bytes.getInt32(0, true);
}
