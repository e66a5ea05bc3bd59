import { STATIC_FIELDS } from '../../../src/dns/https/hpack/static-table.ts';
import { ErrorCode, FrameType } from '../../../src/dns/https/http2/frame.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const PRIORITY = 0x20;

/** Encodes a frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array | string = '',
): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

export const settings = (...entries: (readonly [id: number, value: number])[]): Buffer =>
  frame(
    FrameType.SETTINGS,
    0,
    0,
    Buffer.concat(entries.map(([id, value]) => Buffer.concat([Buffer.from([id >>> 8, id]), word(value)]))),
  );

export const MAGIC = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const PREFACE = Buffer.concat([MAGIC, settings()]);

/** Encodes a string literal without Huffman coding. */
export function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest: number[] = [];
  let length = bytes.length - 127;
  for (; length >= 128; length >>>= 7) rest.push((length & 127) | 128);
  return Buffer.concat([Buffer.from([127, ...rest, length]), bytes]);
}

/** Encodes a header block of literals without indexing. */
export const block = (fields: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(
    fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), string(name), string(value)])),
  );

export const request = (path: string, ...more: (readonly [string, string])[]): Buffer =>
  block([[':method', 'GET'], [':scheme', 'https'], [':authority', 'dns.example'], [':path', path], ...more]);

export const get = (stream: number, path: string): Buffer =>
  frame(FrameType.HEADERS, END_HEADERS | END_STREAM, stream, request(path));

export const postHead = (stream: number, ...more: (readonly [string, string])[]): Buffer =>
  frame(
    FrameType.HEADERS,
    END_HEADERS,
    stream,
    block([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':path', '/dns-query'],
      ['content-type', 'application/dns-message'],
      ...more,
    ]),
  );

export const data = (stream: number, payload: Uint8Array | string, flags = END_STREAM): Buffer =>
  frame(FrameType.DATA, flags, stream, payload);

/** Splits the server's bytes into frames. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (payload.length !== length) throw new Error('the server wrote half a frame');
    frames.push({ type: bytes[at + 3], flags: bytes[at + 4], stream: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

/** Decodes a server's header block, which uses literals and the static table only. */
export function fieldsOf(payload: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < payload.length; ) {
    const first = payload[at++];
    if (first & 0x80) {
      const [name, value] = STATIC_FIELDS[(first & 0x7f) - 1];
      fields[name] = value;
      continue;
    }
    let index = first & 15;
    if (index === 15) index += payload[at++];
    const length = payload[at++];
    fields[STATIC_FIELDS[index - 1][0]] = payload.toString('latin1', at, at + length);
    at += length;
  }
  return fields;
}

const nameOf = (code: number): string =>
  Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? `code ${code}`;

/** Describes frames, leaving SETTINGS out: `1 200`, `1 DATA 45 end`, `GOAWAY 0 PROTOCOL_ERROR`. */
export function told(frames: readonly Frame[]): string[] {
  return frames.flatMap(({ type, flags, stream, payload }) => {
    const end = flags & END_STREAM ? ' end' : '';
    if (type === FrameType.HEADERS) return [`${stream} ${fieldsOf(payload)[':status']}${end}`];
    if (type === FrameType.DATA) return [`${stream} DATA ${payload.length}${end}`];
    if (type === FrameType.RST_STREAM) return [`${stream} RST ${nameOf(payload.readUInt32BE())}`];
    if (type === FrameType.GOAWAY) {
      return [`GOAWAY ${payload.readUInt32BE()} ${nameOf(payload.readUInt32BE(4))}`];
    }
    if (type === FrameType.PING) return [`PING ${flags & ACK ? 'ack ' : ''}${payload.toString('hex')}`];
    if (type === FrameType.WINDOW_UPDATE) return [`WINDOW ${stream} ${payload.readUInt32BE()}`];
    return [];
  });
}
