import {
  equals,
  equalsIgnoringCase,
  FieldName,
  fieldName,
  isFieldValue,
  isNameByte,
  isSpace,
  lowerCase,
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

/** 0: the head is valid; else the status to refuse it with. */
type HeadVerdict = 0 | Refusal;

/**
 * Parses the head of an HTTP/1.1 request (RFC 9112 3, 5), strictly: refuses everything that another hop could read
 * differently, because that is how requests are smuggled (11.2).
 */
export class HeadParser {
  private head!: RequestHead;
  private readonly name = new Uint8Array(MAX_NAME_BYTES);
  /** True if the body is chunked (RFC 9112 7.1). */
  isChunked = false;
  /** True if the connection ends with the response (9.6). */
  closes = false;
  /** True if the client waits for 100 (Continue) before it sends the body (RFC 9110 10.1.1). */
  expectsContinue = false;
  private isVersion10 = false;
  private hosts = 0;
  private verdict: HeadVerdict = 0;

  /** Finds the empty line behind the head. @param from where to start @returns the offset behind it; -1: not found */
  static findEnd(bytes: Uint8Array, from: number, limit: number): number {
    for (let i = from; i < limit; i++) {
      if (bytes[i] !== LF) continue;
      // Bare LF counts here, so that `parse` can refuse it.
      if (bytes[i + 1] === LF && i + 1 < limit) return i + 2;
      if (bytes[i + 1] === CR && bytes[i + 2] === LF && i + 2 < limit) return i + 3;
    }
    return -1;
  }

  /** Parses the head in `bytes[start, end)`, which includes the empty line. */
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
    return this.checkWhole();
  }

  private checkWhole(): HeadVerdict {
    const { head } = this;
    if (head.isMalformed) return 400;
    if (this.isVersion10 ? this.hosts > 1 : this.hosts !== 1) return 400;
    // Chunks together with a length, or in HTTP/1.0 (RFC 9112 6.1, 6.3).
    if (this.isChunked && (head.contentLength >= 0 || this.isVersion10)) return 400;
    return this.verdict;
  }

  private requestLine(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (at < end && isNameByte(lowerCase(bytes[at]!))) at++;
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
    // Folded lines fail here too: they begin with a space, which a name cannot hold (5.2).
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

/** Finds the CRLF of the line at `start`. @returns its offset; -1 if the line ends in any other way */
function findLineEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== CR && bytes[at] !== LF) at++;
  return at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF ? at : -1;
}

/** Finds path and query in a target that may be a whole URL (RFC 9112 3.2.2). @returns their offset */
function originForm(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] === SLASH) return start;
  let at = start;
  while (at < end && isNameByte(lowerCase(bytes[at]!))) at++;
  const authority = at + SCHEME_END.length;
  if (authority > end || !equals(bytes, at, authority, SCHEME_END)) return start;
  at = authority;
  while (at < end && bytes[at] !== SLASH) at++;
  return at === end ? start : at;
}

/** Looks for a token in a comma-separated list (RFC 9110 5.6.1), ignoring case. */
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
