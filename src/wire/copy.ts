/** From this length on a call out of JavaScript is quicker than a loop. */
const COPY_BY_CALL_BYTES = 64;

/**
 * A copy of bytes[from, to) that shares its memory with other small ones (Buffer.allocUnsafe): an ArrayBuffer of its own
 * would cost more to make and to collect than a query does. What is posted to a thread is copied another way: the whole
 * memory would go along.
 */
export function copyBytes(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const length = to - from;
  const copy = Buffer.allocUnsafe(length);
  if (length < COPY_BY_CALL_BYTES) {
    for (let i = 0; i < length; i++) copy[i] = bytes[from + i];
  } else copy.set(bytes.subarray(from, to));
  return copy;
}
