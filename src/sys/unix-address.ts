export const AF_UNIX = 1;
/** Length of sun_path (unix(7)). */
const PATH_BYTES = 108;

/**
 * Encodes a sockaddr_un. A path that begins with `@` is an abstract address.
 * @returns null if the path is too long
 */
export function encodeUnixAddress(path: string): Uint8Array | null {
  const encoded = Buffer.from(path);
  if (encoded.length >= PATH_BYTES) return null;
  const isAbstract = path.startsWith('@');
  const name = new Uint8Array(2 + encoded.length + (isAbstract ? 0 : 1));
  name[0] = AF_UNIX;
  name.set(encoded, 2);
  if (isAbstract) name[2] = 0;
  return name;
}
