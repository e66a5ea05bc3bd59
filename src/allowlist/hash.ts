/**
 * Keyed 32-bit hash of a key's words, mixed by murmur3's finalizer. The finalizer is a bijection, so one-word
 * keys never collide before they are reduced to slots. The secret seed keeps anyone from aiming at a slot.
 */
export function mixWord(hash: number, word: number): number {
  let h = hash ^ word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
