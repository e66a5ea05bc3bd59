import { HEADER_BYTES } from '../../wire/index.ts';
import { equals } from './field.ts';
import { ContentType, Method, type RequestHead } from './request-head.ts';

/** Longest query; real ones are far shorter. */
export const MAX_QUERY_BYTES = 4096;
const MAX_ENCODED_BYTES = Math.ceil((MAX_QUERY_BYTES * 4) / 3);

/** Status codes of refused requests. */
export type Refusal = 400 | 403 | 404 | 405 | 413 | 414 | 415 | 417 | 431 | 501;

/** Where a request's DNS message is: decoded in the thread's GetQuery, or in the body to come. */
export const DohMessage = { IN_QUERY: 0, IN_BODY: 1 } as const;
type DohRequest = (typeof DohMessage)[keyof typeof DohMessage] | Refusal;

/** Offset and bit of QR, set in replies (RFC 1035 4.1.1). */
const FLAGS = 2;
const QR = 0x80;

const PARAMETER = Buffer.from('dns=');
const QUESTION_MARK = 0x3f;
const AMPERSAND = 0x26;

/** base64url decode table (RFC 4648 5); 255 marks an invalid character. */
const SEXTETS = new Uint8Array(256).fill(255);
for (const [value, byte] of [
  ...Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'),
].entries()) {
  SEXTETS[byte] = value;
}

/** The decoded query of a GET. One per thread. */
export class GetQuery {
  readonly bytes = new Uint8Array(MAX_QUERY_BYTES + 3);
  length = 0;
}

/** Decides whether a path is served. */
export interface PathGate {
  /** @returns 0: served; else the refusal of target[0, end) */
  checkPath(target: Uint8Array, end: number): 0 | Refusal;
}

/** Reads a request's head (RFC 8484 4.1). Checks lengths first: an oversized query is never decoded. */
export function readDohRequest(head: RequestHead, query: GetQuery, gate: PathGate): DohRequest {
  const { target, targetLength } = head;
  let mark = 0;
  while (mark < targetLength && target[mark] !== QUESTION_MARK) mark++;
  const refusal = gate.checkPath(target, mark);
  if (refusal !== 0) return refusal;
  if (head.method === Method.POST) {
    if (head.contentType !== ContentType.DNS_MESSAGE) return 415;
    return head.contentLength > MAX_QUERY_BYTES ? 413 : DohMessage.IN_BODY;
  }
  if (head.method !== Method.GET) return 405;
  return readParameter(target, mark + 1, targetLength, query);
}

/** Decodes the `dns` parameter: base64url without padding (RFC 8484 6). */
function readParameter(target: Uint8Array, from: number, to: number, query: GetQuery): DohRequest {
  let start = -1;
  let end = -1;
  for (let at = from; at < to; ) {
    let next = at;
    while (next < to && target[next] !== AMPERSAND) next++;
    const value = at + PARAMETER.length;
    if (value <= next && equals(target, at, value, PARAMETER)) {
      if (start >= 0) return 400;
      if (next - value > MAX_ENCODED_BYTES) return 414;
      start = value;
      end = next;
    }
    at = next + 1;
  }
  if (start < 0 || !decodeBase64Url(target, start, end, query)) return 400;
  return isQuery(query.bytes, 0, query.length) ? DohMessage.IN_QUERY : 400;
}

function decodeBase64Url(bytes: Uint8Array, start: number, end: number, query: GetQuery): boolean {
  const { bytes: into } = query;
  if ((end - start) % 4 === 1) return false;
  let bits = 0;
  let held = 0;
  let to = 0;
  let seen = 0;
  for (let i = start; i < end; i++) {
    const sextet = SEXTETS[bytes[i]!]!;
    seen |= sextet;
    held = ((held << 6) | sextet) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    into[to++] = held >>> bits;
  }
  query.length = to;
  return seen < 64;
}

/** Checks for a whole header with QR=0; anything else gets no reply over the other transports. */
export function isQuery(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start >= HEADER_BYTES && (bytes[start + FLAGS]! & QR) === 0;
}
