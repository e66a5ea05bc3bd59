import { MAX_QUERY_BYTES } from '../request.ts';

/** Outcomes of reading a chunked body, other than its end. */
export const ChunkedBody = { PARTIAL: -1, MALFORMED: -2, TOO_LARGE: -3 } as const;

/** Longest encoded body, with chunk sizes, extensions and trailers. */
const MAX_CODED_BYTES = 8 * MAX_QUERY_BYTES;
/** Digits of a chunk's size; more than a query can need. */
const MAX_SIZE_DIGITS = 6;
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;

/** Decodes a chunked body (RFC 9112 7.1). Ignores extensions and trailers. */
export class ChunkedReader {
  readonly body = new Uint8Array(MAX_QUERY_BYTES);
  bodyLength = 0;

  /** Reads the whole body that begins at `start`. @returns the offset behind it, or one of ChunkedBody */
  read(bytes: Uint8Array, start: number, limit: number): number {
    this.bodyLength = 0;
    let at = start;
    for (;;) {
      const lineEnd = findLineEnd(bytes, at, limit);
      if (lineEnd < 0) return this.unfinished(lineEnd, start, limit);
      const size = readSize(bytes, at, lineEnd);
      if (size < 0) return ChunkedBody.MALFORMED;
      at = lineEnd + 2;
      if (size === 0) return this.readTrailers(bytes, at, start, limit);
      if (this.bodyLength + size > MAX_QUERY_BYTES) return ChunkedBody.TOO_LARGE;
      if (limit - at < size + 2) return this.unfinished(ChunkedBody.PARTIAL, start, limit);
      if (bytes[at + size] !== CR || bytes[at + size + 1] !== LF) return ChunkedBody.MALFORMED;
      this.body.set(bytes.subarray(at, at + size), this.bodyLength);
      this.bodyLength += size;
      at += size + 2;
    }
  }

  private readTrailers(bytes: Uint8Array, from: number, start: number, limit: number): number {
    for (let at = from; ; ) {
      const lineEnd = findLineEnd(bytes, at, limit);
      if (lineEnd < 0) return this.unfinished(lineEnd, start, limit);
      if (lineEnd === at) return at + 2;
      at = lineEnd + 2;
    }
  }

  private unfinished(verdict: number, start: number, limit: number): number {
    if (verdict === ChunkedBody.MALFORMED) return verdict;
    return limit - start > MAX_CODED_BYTES ? ChunkedBody.TOO_LARGE : ChunkedBody.PARTIAL;
  }
}

/** Finds the CRLF of the line at `start`. @returns its offset; PARTIAL or MALFORMED */
function findLineEnd(bytes: Uint8Array, start: number, limit: number): number {
  let at = start;
  while (at < limit && bytes[at] !== CR && bytes[at] !== LF) at++;
  if (at === limit) return ChunkedBody.PARTIAL;
  if (bytes[at] === LF) return ChunkedBody.MALFORMED;
  if (at + 1 === limit) return ChunkedBody.PARTIAL;
  return bytes[at + 1] === LF ? at : ChunkedBody.MALFORMED;
}

/** Reads a chunk's size: hexadecimal digits before any extension. @returns -1 for anything else */
function readSize(bytes: Uint8Array, start: number, end: number): number {
  let size = 0;
  let at = start;
  for (; at < end && bytes[at] !== SEMICOLON; at++) {
    const digit = hexDigit(bytes[at]!);
    if (digit < 0 || at - start >= MAX_SIZE_DIGITS) return -1;
    size = size * 16 + digit;
  }
  return at === start ? -1 : size;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
