import { equals, equalsIgnoringCase, FieldName, isPseudo, isSpace, lowerCase, readDecimal } from './field.ts';

export const Method = { NONE: 0, GET: 1, POST: 2, OTHER: 3 } as const;
export type Method = (typeof Method)[keyof typeof Method];

export const ContentType = { NONE: 0, DNS_MESSAGE: 1, OTHER: 2 } as const;
export type ContentType = (typeof ContentType)[keyof typeof ContentType];

export const DNS_MESSAGE = 'application/dns-message';
/** Longest head of a request: room for the longest query in the path and for the fields that browsers add. */
export const MAX_HEAD_BYTES = 16 * 1024;

const GET = Buffer.from('GET');
const POST = Buffer.from('POST');
const CONNECT = Buffer.from('CONNECT');
const TRAILERS = Buffer.from('trailers');
const TYPE = Buffer.from(DNS_MESSAGE);
const SEMICOLON = 0x3b;
/** Longest authority: a host name of 253 bytes, a port, and user information that nobody sends. */
const MAX_AUTHORITY_BYTES = 512;
const HTTPS_PORT = Buffer.from(':443');

/** The head of a request, in either version of HTTP. One per thread, reset for each request. */
export class RequestHead {
  method: Method = Method.NONE;
  /** Path and query, as received. */
  readonly target = new Uint8Array(MAX_HEAD_BYTES);
  /** -1: absent. */
  targetLength = -1;
  contentType: ContentType = ContentType.NONE;
  /** -1: absent. */
  contentLength = -1;
  /** True if the head breaks a rule of HTTP. */
  isMalformed = false;
  private hasScheme = false;
  private readonly authority = new Uint8Array(MAX_AUTHORITY_BYTES);
  /** -1: absent. */
  private authorityLength = -1;
  private isConnect = false;
  private sawField = false;
  private isTrailer = false;

  /** @param isTrailer true for the fields behind a body */
  begin(isTrailer: boolean): void {
    this.method = Method.NONE;
    this.targetLength = -1;
    this.contentType = ContentType.NONE;
    this.contentLength = -1;
    this.isMalformed = false;
    this.hasScheme = false;
    this.authorityLength = -1;
    this.isConnect = false;
    this.sawField = false;
    this.isTrailer = isTrailer;
  }

  /** Checks that the HTTP/2 fields make a request (RFC 9113 8.3.1, 8.5) or its trailers (8.1). */
  isWhole(): boolean {
    if (this.isMalformed) return false;
    if (this.isTrailer) return true;
    if (this.isConnect) return this.authorityLength >= 0 && !this.hasScheme && this.targetLength < 0;
    return this.method !== Method.NONE && this.hasScheme && this.targetLength > 0;
  }

  /** Adds a field of HTTP/2. */
  field(name: FieldName, values: Uint8Array, start: number, end: number): void {
    if (isPseudo(name)) this.pseudo(name, values, start, end);
    else this.regular(name, values, start, end);
  }

  setMethod(bytes: Uint8Array, start: number, end: number): void {
    if (equals(bytes, start, end, GET)) this.method = Method.GET;
    else if (equals(bytes, start, end, POST)) this.method = Method.POST;
    else this.method = Method.OTHER;
  }

  setTarget(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.target.length) {
      this.isMalformed = true;
      return;
    }
    for (let i = 0; i < length; i++) this.target[i] = bytes[start + i]!;
    this.targetLength = length;
  }

  setContentType(bytes: Uint8Array, start: number, end: number): void {
    if (this.contentType !== ContentType.NONE) this.isMalformed = true;
    let to = start;
    while (to < end && bytes[to] !== SEMICOLON) to++;
    while (to > start && isSpace(bytes[to - 1]!)) to--;
    this.contentType = equalsIgnoringCase(bytes, start, to, TYPE)
      ? ContentType.DNS_MESSAGE
      : ContentType.OTHER;
  }

  /** Rejects a second one and anything but a number: another hop could read it differently (RFC 9112 6.3). */
  setContentLength(bytes: Uint8Array, start: number, end: number): void {
    const length = readDecimal(bytes, start, end);
    if (length < 0 || this.contentLength >= 0) this.isMalformed = true;
    this.contentLength = length;
  }

  private setAuthority(bytes: Uint8Array, start: number, end: number): void {
    const length = withoutHttpsPort(bytes, start, end) - start;
    if (this.authorityLength >= 0 || length > MAX_AUTHORITY_BYTES) {
      this.isMalformed = true;
      return;
    }
    for (let i = 0; i < length; i++) this.authority[i] = lowerCase(bytes[start + i]!);
    this.authorityLength = length;
  }

  /** A Host that differs from :authority could lead another hop to another server (RFC 9113 8.3.1). */
  private checkHost(bytes: Uint8Array, start: number, end: number): void {
    const length = withoutHttpsPort(bytes, start, end) - start;
    if (this.authorityLength < 0) return;
    if (length !== this.authorityLength) this.isMalformed = true;
    for (let i = 0; i < length && !this.isMalformed; i++) {
      if (lowerCase(bytes[start + i]!) !== this.authority[i]) this.isMalformed = true;
    }
  }

  /** Pseudo-headers come once each, before all other fields, and never as trailers (RFC 9113 8.3). */
  private pseudo(name: FieldName, values: Uint8Array, start: number, end: number): void {
    if (this.sawField || this.isTrailer) this.isMalformed = true;
    else if (name === FieldName.METHOD) {
      if (this.method !== Method.NONE || start === end) this.isMalformed = true;
      this.setMethod(values, start, end);
      this.isConnect = equals(values, start, end, CONNECT);
    } else if (name === FieldName.PATH) {
      if (this.targetLength >= 0) this.isMalformed = true;
      this.setTarget(values, start, end);
    } else if (name === FieldName.SCHEME) {
      if (this.hasScheme) this.isMalformed = true;
      this.hasScheme = true;
    } else if (name === FieldName.AUTHORITY) {
      this.setAuthority(values, start, end);
    } else this.isMalformed = true;
  }

  private regular(name: FieldName, values: Uint8Array, start: number, end: number): void {
    this.sawField = true;
    switch (name) {
      case FieldName.OTHER:
      case FieldName.EXPECT:
        return;
      case FieldName.HOST:
        this.checkHost(values, start, end);
        return;
      case FieldName.CONTENT_TYPE:
        this.setContentType(values, start, end);
        return;
      case FieldName.CONTENT_LENGTH:
        this.setContentLength(values, start, end);
        return;
      case FieldName.TE:
        if (!equalsIgnoringCase(values, start, end, TRAILERS)) this.isMalformed = true;
        return;
      default:
        this.isMalformed = true;
    }
  }
}

/** Finds the end of a host without the default port (RFC 3986 6.2.3). */
function withoutHttpsPort(bytes: Uint8Array, start: number, end: number): number {
  const colon = end - HTTPS_PORT.length;
  return colon > start && equals(bytes, colon, end, HTTPS_PORT) ? colon : end;
}
