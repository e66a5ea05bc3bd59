/**
 * A keyed 32-bit hash of the words of a key: each word mixed in by murmur3's finalizer, a bijection, so that
 * one-word keys never collide before they are reduced to slots. The seed is secret: slots cannot be aimed at.
 */
export function mixWord(hash: number, word: number): number {
  let h = hash ^ word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
