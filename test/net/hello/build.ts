/** Builds valid and invalid ClientHellos byte by byte. */
const u16 = (value: number): number[] => [value >> 8, value & 0xff];
const vector16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];

export interface HelloFields {
  /** Contents of server_name extensions; by default one with `name`. */
  readonly serverNames?: readonly (readonly number[])[];
  readonly name?: string;
  /** Other extensions: type and content. */
  readonly extensions?: readonly (readonly [number, readonly number[]])[];
}

/** A server_name_list with one host_name. */
export function nameList(name: string, type = 0): number[] {
  return vector16([type, ...vector16(ascii(name))]);
}

/** A ClientHello with its handshake header. */
export function hello({ serverNames, name, extensions = [] }: HelloFields): Uint8Array {
  const names = serverNames ?? (name === undefined ? [] : [nameList(name)]);
  const all = [...extensions, ...names.map((content) => [0, content] as const)];
  const body = [
    ...u16(0x0303),
    ...new Array<number>(32).fill(7),
    ...[32, ...new Array<number>(32).fill(9)],
    ...vector16([0x0a, 0x0a, 0x13, 0x01]),
    ...[1, 0],
    ...vector16(all.flatMap(([type, content]) => [...u16(type), ...vector16(content)])),
  ];
  return Uint8Array.from([1, body.length >> 16, ...u16(body.length & 0xffff), ...body]);
}

/** Key shares of GREASE (RFC 8701) and X25519MLKEM768 (1,216 bytes), more than fit into a segment. */
export const POST_QUANTUM: readonly [number, readonly number[]] = [
  51,
  vector16([
    ...[...u16(0x1a1a), ...vector16([0])],
    ...[...u16(0x11ec), ...vector16(new Array<number>(1216).fill(3))],
  ]),
];

/** Splits the message into records of `size` bytes. */
export function inRecords(message: Uint8Array, size = 16_384): Uint8Array {
  const out: number[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    out.push(22, 3, 1, ...u16(part.length), ...part);
  }
  return Uint8Array.from(out);
}
