/**
 * Reads a variable-length integer (RFC 9000 section 16). Rejects values from 2^32, which no datagram holds.
 */
export function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  if (at >= bytes.length) return null;
  const width = 1 << (bytes[at] >> 6);
  if (at + width > bytes.length) return null;
  let value = bytes[at] & 0x3f;
  for (let i = 1; i < width; i++) value = value * 256 + bytes[at + i];
  return value < 2 ** 32 ? { value, end: at + width } : null;
}
