/** RFC 9000, 16. Values of 2^32 and more, which no datagram holds, are refused. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  if (at >= bytes.length) return null;
  const width = 1 << (bytes[at] >> 6);
  if (at + width > bytes.length) return null;
  let value = bytes[at] & 0x3f;
  for (let i = 1; i < width; i++) value = value * 256 + bytes[at + i];
  return value < 2 ** 32 ? { value, end: at + width } : null;
}
