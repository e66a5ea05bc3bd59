import {
  equals,
  equalsIgnoringCase,
  FieldName,
  fieldName,
  isFieldValue,
  isNameOctet,
  isSpace,
} from '../field.ts';
import type { Refusal } from '../request.ts';
import type { RequestHead } from '../request-head.ts';

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
const SLASH = 0x2f;
const COMMA = 0x2c;
const MAX_FIELDS = 64;
const MAX_NAME_BYTES = 256;
const HTTP_1_1 = Buffer.from('HTTP/1.1');
const HTTP_1_0 = Buffer.from('HTTP/1.0');
const SCHEME_END = Buffer.from('://');
const CHUNKED = Buffer.from('chunked');
const CLOSE = Buffer.from('close');
const CONTINUE = Buffer.from('100-continue');

/** 0: the head is sound. */
export type HeadVerdict = 0 | Refusal;

/**
 * Reads the head of a request of HTTP/1.1 (RFC 9112 3, 5), strictly: what one program could read as another request than the
 * next one does is refused, as that is how requests are smuggled (11.2).
 */
export class HeadParser {
  private head!: RequestHead;
  private readonly name = new Uint8Array(MAX_NAME_BYTES);
  /** Whether the body comes in chunks (RFC 9112 7.1). */
  isChunked = false;
  /** Whether the connection ends with the response (9.6). */
  closes = false;
  /** Whether the client waits to be told that it may send the body (RFC 9110 10.1.1). */
  expectsContinue = false;
  private isVersion10 = false;
  private hosts = 0;
  private verdict: HeadVerdict = 0;

  /** Where the empty line behind the head ends; -1: it has not come. @param from offset before which it cannot end */
  static findEnd(bytes: Uint8Array, from: number, limit: number): number {
    for (let i = from; i < limit; i++) {
      if (bytes[i] !== LF) continue;
      // With bare LF or CRLF: which of them is allowed is for `parse` to say.
      if (bytes[i + 1] === LF && i + 1 < limit) return i + 2;
      if (bytes[i + 1] === CR && bytes[i + 2] === LF && i + 2 < limit) return i + 3;
    }
    return -1;
  }

  /** Reads the head at `start` to `end`, the empty line with it. @returns 0, or the status to refuse it with */
  parse(bytes: Uint8Array, start: number, end: number, head: RequestHead): HeadVerdict {
    this.head = head;
    head.begin(false);
    this.isChunked = false;
    this.closes = false;
    this.expectsContinue = false;
    this.hosts = 0;
    this.verdict = 0;
    let lineEnd = findLineEnd(bytes, start, end);
    if (lineEnd < 0 || !this.requestLine(bytes, start, lineEnd)) return 400;
    let fields = 0;
    for (let at = lineEnd + 2; ; at = lineEnd + 2) {
      lineEnd = findLineEnd(bytes, at, end);
      if (lineEnd < 0) return 400;
      if (lineEnd === at) break;
      if (++fields > MAX_FIELDS) return 431;
      if (!this.fieldLine(bytes, at, lineEnd)) return 400;
    }
    return this.judge();
  }

  private judge(): HeadVerdict {
    const { head } = this;
    if (head.isMalformed) return 400;
    if (this.isVersion10 ? this.hosts > 1 : this.hosts !== 1) return 400;
    // Both lengths at once, or chunks of HTTP/1.0 (RFC 9112 6.1, 6.3).
    if (this.isChunked && (head.contentLength >= 0 || this.isVersion10)) return 400;
    return this.verdict;
  }

  private requestLine(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end && isNameOctet(lowerCase(bytes[at]!))) at++;
    if (at === start || bytes[at] !== SPACE) return false;
    this.head.setMethod(bytes, start, at);
    const target = at + 1;
    at = target;
    while (at < end && bytes[at]! > SPACE && bytes[at]! < 0x7f) at++;
    if (at === target || bytes[at] !== SPACE) return false;
    const version = at + 1;
    this.isVersion10 = equals(bytes, version, end, HTTP_1_0);
    this.closes = this.isVersion10;
    if (!this.isVersion10 && !equals(bytes, version, end, HTTP_1_1)) return false;
    this.head.setTarget(bytes, originForm(bytes, target, at), at);
    return true;
  }

  private fieldLine(bytes: Uint8Array, start: number, end: number): boolean {
    let colon = start;
    while (colon < end && bytes[colon] !== COLON) colon++;
    const length = colon - start;
    // A line that is folded starts with a space, which is no byte of a name (5.2).
    if (colon === end || length === 0 || length > MAX_NAME_BYTES) return false;
    for (let i = 0; i < length; i++) this.name[i] = lowerCase(bytes[start + i]!);
    let from = colon + 1;
    let to = end;
    while (from < to && isSpace(bytes[from]!)) from++;
    while (to > from && isSpace(bytes[to - 1]!)) to--;
    const name = fieldName(this.name, 0, length);
    if (name === FieldName.INVALID || !isFieldValue(bytes, from, to)) return false;
    this.field(name, bytes, from, to);
    return true;
  }

  private field(name: FieldName, bytes: Uint8Array, start: number, end: number): void {
    const { head } = this;
    if (name === FieldName.CONTENT_TYPE) head.setContentType(bytes, start, end);
    else if (name === FieldName.CONTENT_LENGTH) head.setContentLength(bytes, start, end);
    else if (name === FieldName.HOST) this.hosts++;
    else if (name === FieldName.CONNECTION) this.closes ||= hasToken(bytes, start, end, CLOSE);
    else if (name === FieldName.TRANSFER_ENCODING) {
      if (this.isChunked || !equalsIgnoringCase(bytes, start, end, CHUNKED)) this.verdict = 501;
      this.isChunked = true;
    } else if (name === FieldName.EXPECT) {
      this.expectsContinue = equalsIgnoringCase(bytes, start, end, CONTINUE);
      if (!this.expectsContinue) this.verdict = 417;
    }
  }
}

const lowerCase = (octet: number): number => (octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet);

/** Where the CR of the line at `start` stands; -1: the line ends otherwise. */
function findLineEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== CR && bytes[at] !== LF) at++;
  return at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF ? at : -1;
}

/** Where path and query begin in a target that may be a whole URL (RFC 9112 3.2.2). */
function originForm(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === SLASH) return start;
  let at = start;
  while (at < end && isNameOctet(lowerCase(bytes[at]!))) at++;
  const authority = at + SCHEME_END.length;
  if (authority > end || !equals(bytes, at, authority, SCHEME_END)) return start;
  at = authority;
  while (at < end && bytes[at] !== SLASH) at++;
  return at === end ? start : at;
}

/** Whether a list has this among its members (RFC 9110 5.6.1). */
function hasToken(bytes: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  for (let at = start; at < end; ) {
    let next = at;
    while (next < end && bytes[next] !== COMMA) next++;
    let from = at;
    let to = next;
    while (from < to && isSpace(bytes[from]!)) from++;
    while (to > from && isSpace(bytes[to - 1]!)) to--;
    if (equalsIgnoringCase(bytes, from, to, token)) return true;
    at = next + 1;
  }
  return false;
}
