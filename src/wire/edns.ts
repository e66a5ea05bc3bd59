import { additionalCount, answerCount, authorityCount, readU16, writeU16 } from './header.ts';
import { RecordCursor } from './record.ts';
import { EdnsOption, ExtendedError, Rcode, RecordType } from './types.ts';

/** Minimum payload size; a smaller one counts as this (RFC 6891 6.2.3). */
export const MIN_UDP_SIZE = 512;
/** OPT without options: root owner, type, size, extended rcode, version, flags, RDLENGTH. */
export const OPT_BYTES = 11;
/** An extended error without text: option code, length, INFO-CODE (RFC 8914 2). */
export const EXTENDED_ERROR_BYTES = 6;
const DO_BIT = 0x8000;
const OPTION_HEADER_BYTES = 4;
/** A client cookie alone, and the bounds of one followed by a server cookie (RFC 7873 4). */
export const CLIENT_COOKIE_BYTES = 8;
const MIN_WITH_SERVER_COOKIE_BYTES = 16;
const MAX_COOKIE_BYTES = 40;
/** A client cookie followed by a server cookie of RFC 9018 4. */
export const COOKIE_BYTES = 24;
/** Bound on the records of a query; one with more is FORMERR before they are walked. */
const MAX_QUERY_RECORDS = 32;

/** Fields of a query's OPT record (RFC 6891 6.1.2). Allocated once, reused for each query. */
export class Edns {
  private readonly cursor = new RecordCursor();
  present = false;
  /** The requestor's payload size, at least MIN_UDP_SIZE; MIN_UDP_SIZE without OPT. */
  udpSize = MIN_UDP_SIZE;
  version = 0;
  dnssecOk = false;
  optionsOffset = 0;
  optionsLength = 0;
  /** The first COOKIE option: cookie[0, cookieLength); 0 without one. */
  readonly cookie = new Uint8Array(MAX_COOKIE_BYTES);
  cookieLength = 0;
  /** True with a Padding option; the reply must then be padded, too (RFC 7830 4). */
  padded = false;
  /** True with an empty edns-tcp-keepalive option (RFC 7828 3.2.1). */
  keepalive = false;

  /**
   * Reads the records behind the question of the query message[0, length), which ends at `offset`. Bytes behind
   * the last record are ignored.
   * @returns NOERROR, FORMERR (two OPT, an owner that is not the root, a record past the end, options
   *   that do not fill RDLENGTH, an impossible cookie length) or BADVERS.
   */
  parse(message: Uint8Array, length: number, offset: number): number {
    this.present = false;
    this.udpSize = MIN_UDP_SIZE;
    this.version = 0;
    this.dnssecOk = false;
    this.optionsLength = 0;
    this.cookieLength = 0;
    this.padded = false;
    this.keepalive = false;
    const before = answerCount(message) + authorityCount(message);
    const count = before + additionalCount(message);
    if (count === 0) return Rcode.NOERROR;
    if (count > MAX_QUERY_RECORDS) return Rcode.FORMERR;
    const cursor = this.cursor;
    cursor.begin(message, length, offset);
    for (let i = 0; i < count; i++) {
      if (!cursor.next()) return Rcode.FORMERR;
      if (cursor.type !== RecordType.OPT) continue;
      if (this.present || i < before || message[cursor.ownerOffset] !== 0) return Rcode.FORMERR;
      this.take(message);
      if (!this.readOptions(message)) return Rcode.FORMERR;
    }
    return this.version === 0 ? Rcode.NOERROR : Rcode.BADVERS;
  }

  private take(message: Uint8Array): void {
    const cursor = this.cursor;
    this.present = true;
    this.udpSize = Math.max(cursor.rclass, MIN_UDP_SIZE);
    this.version = message[cursor.ttlOffset + 1];
    this.dnssecOk = (readU16(message, cursor.ttlOffset + 2) & DO_BIT) !== 0;
    this.optionsOffset = cursor.rdataOffset;
    this.optionsLength = cursor.rdataLength;
  }

  private readOptions(message: Uint8Array): boolean {
    const end = this.optionsOffset + this.optionsLength;
    let at = this.optionsOffset;
    while (at < end) {
      const data = at + OPTION_HEADER_BYTES;
      if (data > end) return false;
      const length = readU16(message, at + 2);
      if (data + length > end) return false;
      const code = readU16(message, at);
      if (code === EdnsOption.PADDING) this.padded = true;
      else if (code === EdnsOption.TCP_KEEPALIVE) this.keepalive = length === 0;
      else if (code === EdnsOption.COOKIE && !this.readCookie(message, data, length)) return false;
      at = data + length;
    }
    return true;
  }

  private readCookie(message: Uint8Array, offset: number, length: number): boolean {
    if (length !== CLIENT_COOKIE_BYTES && length < MIN_WITH_SERVER_COOKIE_BYTES) return false;
    if (length > MAX_COOKIE_BYTES) return false;
    if (this.cookieLength > 0) return true;
    this.cookieLength = length;
    for (let i = 0; i < length; i++) this.cookie[i] = message[offset + i];
    return true;
  }
}

/** Bytes of a COOKIE option in a reply. */
export const COOKIE_OPTION_BYTES = OPTION_HEADER_BYTES + COOKIE_BYTES;

/**
 * Writes a COOKIE option with cookie[0, COOKIE_BYTES) behind a message that ends with its OPT record.
 * @param optOffset start of the OPT record, as given to writeOpt
 * @returns the offset behind it.
 */
export function writeCookieOption(
  message: Uint8Array,
  optOffset: number,
  end: number,
  cookie: Uint8Array,
): number {
  const rdlength = optOffset + OPT_BYTES - 2;
  writeU16(message, rdlength, readU16(message, rdlength) + COOKIE_OPTION_BYTES);
  writeU16(message, end, EdnsOption.COOKIE);
  writeU16(message, end + 2, COOKIE_BYTES);
  for (let i = 0; i < COOKIE_BYTES; i++) message[end + OPTION_HEADER_BYTES + i] = cookie[i];
  return end + COOKIE_OPTION_BYTES;
}

/** Size of an edns-tcp-keepalive option in a reply. */
export const KEEPALIVE_OPTION_BYTES = OPTION_HEADER_BYTES + 2;

/**
 * Writes an edns-tcp-keepalive option (RFC 7828 3.1) behind a message that ends with its OPT record.
 * @param optOffset start of the OPT record, as given to writeOpt
 * @param timeout in units of 100 ms
 * @returns the offset behind it
 */
export function writeKeepaliveOption(
  message: Uint8Array,
  optOffset: number,
  end: number,
  timeout: number,
): number {
  const rdlength = optOffset + OPT_BYTES - 2;
  writeU16(message, rdlength, readU16(message, rdlength) + KEEPALIVE_OPTION_BYTES);
  writeU16(message, end, EdnsOption.TCP_KEEPALIVE);
  writeU16(message, end + 2, 2);
  writeU16(message, end + OPTION_HEADER_BYTES, timeout);
  return end + KEEPALIVE_OPTION_BYTES;
}

/** Size of the OPT record that writeOpt writes for this extended error, in bytes. */
export function optBytes(extendedError: number): number {
  return extendedError === ExtendedError.NONE ? OPT_BYTES : OPT_BYTES + EXTENDED_ERROR_BYTES;
}

/**
 * Writes an OPT record at `offset` of `out`: our payload size, the upper eight bits of `rcode`, version 0,
 * DO as the query had it (RFC 6891 7, RFC 3225 3), and an extended error where one is given.
 * @returns the offset behind it.
 */
export function writeOpt(
  out: Uint8Array,
  offset: number,
  udpSize: number,
  rcode: number,
  dnssecOk: boolean,
  extendedError: number,
): number {
  out[offset] = 0;
  writeU16(out, offset + 1, RecordType.OPT);
  writeU16(out, offset + 3, udpSize);
  out[offset + 5] = rcode >>> 4;
  out[offset + 6] = 0;
  writeU16(out, offset + 7, dnssecOk ? DO_BIT : 0);
  if (extendedError === ExtendedError.NONE) {
    writeU16(out, offset + 9, 0);
    return offset + OPT_BYTES;
  }
  writeU16(out, offset + 9, EXTENDED_ERROR_BYTES);
  writeU16(out, offset + 11, EdnsOption.EXTENDED_ERROR);
  writeU16(out, offset + 13, 2);
  writeU16(out, offset + 15, extendedError);
  return offset + OPT_BYTES + EXTENDED_ERROR_BYTES;
}
