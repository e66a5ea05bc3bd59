/** Small copies share one slab; it lives as long as any of them is in use. */
const SLAB_BYTES = 16_384;
const MAX_SHARED_BYTES = SLAB_BYTES / 4;
/** From this length on, a native copy is quicker than a loop. */
const COPY_BY_CALL_BYTES = 64;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/**
 * Copies bytes[from, to). Small copies share an ArrayBuffer with others, because one of their own would cost more to make
 * and to collect than a query does. A copy starts at a multiple of 8 bytes. Don't post it to a thread: the whole slab
 * would be cloned.
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
