/** Memory that copies share, as long as one of them is in use. */
const SLAB_BYTES = 16_384;
const MAX_SHARED_BYTES = SLAB_BYTES / 4;
/** From this length on a call out of JavaScript is quicker than a loop. */
const COPY_BY_CALL_BYTES = 64;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/**
 * A copy of bytes[from, to) that shares its memory with others, if it is small: an ArrayBuffer of its own would cost more
 * to make and to collect than a query does. It starts at a multiple of 8 bytes. What is posted to a thread is copied
 * another way: the whole memory would go along.
 */
export function copyBytes(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const length = to - from;
  const copy = allot(length);
  if (length < COPY_BY_CALL_BYTES) {
    for (let i = 0; i < length; i++) copy[i] = bytes[from + i];
  } else copy.set(bytes.subarray(from, to));
  return copy;
}

function allot(length: number): Uint8Array {
  if (length > MAX_SHARED_BYTES) return new Uint8Array(length);
  if (used + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const start = used;
  used = (start + length + 7) & ~7;
  return new Uint8Array(slab, start, length);
}
