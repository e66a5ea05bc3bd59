import { domainToASCII } from 'node:url';

/** Longest name in wire form, root label included (RFC 1035 2.3.4). */
export const MAX_NAME_BYTES = 255;
/** Most labels that fit, not counting the root: 127 of one byte each. */
export const MAX_LABELS = 127;
const MAX_LABEL_BYTES = 63;
const POINTER_BITS = 0xc0;
/** Each pointer leads to at least one label, so a real name needs no more; a hostile message could chain thousands. */
const MAX_POINTERS = MAX_LABELS;

/** Returned by readName and skipName for a malformed name. */
export const MALFORMED = -1;

/**
 * A name in uncompressed, lower-cased wire form with the root label, and the offsets of its labels. Allocated once, filled
 * by each readName.
 */
export class NameScratch {
  readonly bytes = new Uint8Array(MAX_NAME_BYTES);
  /** Length in `bytes`, the root's byte included: 1 for the root itself. */
  length = 0;
  /** Labels without the root. */
  labelCount = 0;
  /** labelOffsets[i]: index in bytes of the length byte of label i; entry labelCount is the root's. */
  readonly labelOffsets = new Uint8Array(MAX_LABELS + 1);
}

/** Lowers an ASCII letter; all other bytes stand for themselves (RFC 4343). */
export function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/**
 * Reads the name at `offset` of message[0, length), following compression pointers (RFC 1035 4.1.4). A pointer must lead
 * to before the start of the part that holds it, and a name has at most MAX_POINTERS of them. So no message can make this
 * loop, and a name costs at most 255 bytes and as many pointers.
 *
 * @returns the offset behind the name as it stands in the message, or MALFORMED.
 */
export function readName(message: Uint8Array, length: number, offset: number, out: NameScratch): number {
  const bytes = out.bytes;
  const labelOffsets = out.labelOffsets;
  let at = offset;
  let end = MALFORMED;
  let lowest = offset;
  let used = 0;
  let labels = 0;
  let pointers = 0;
  for (;;) {
    if (at >= length) return MALFORMED;
    const byte = message[at];
    if ((byte & POINTER_BITS) === POINTER_BITS) {
      if (at + 1 >= length || ++pointers > MAX_POINTERS) return MALFORMED;
      if (end === MALFORMED) end = at + 2;
      const target = ((byte & 0x3f) << 8) | message[at + 1];
      if (target >= lowest) return MALFORMED;
      lowest = target;
      at = target;
      continue;
    }
    if (byte > MAX_LABEL_BYTES) return MALFORMED;
    if (used + byte + 1 > MAX_NAME_BYTES) return MALFORMED;
    labelOffsets[labels] = used;
    bytes[used++] = byte;
    at++;
    if (byte === 0) break;
    if (at + byte > length) return MALFORMED;
    for (const stop = at + byte; at < stop; at++) bytes[used++] = lowerCase(message[at]);
    labels++;
  }
  out.length = used;
  out.labelCount = labels;
  return end === MALFORMED ? at : end;
}

/**
 * Finds the offset behind the name at `offset` without following pointers.
 * @returns MALFORMED if the name runs past the message or has a label type other than 00 and 11.
 */
export function skipName(message: Uint8Array, length: number, offset: number): number {
  let at = offset;
  while (at < length) {
    const byte = message[at];
    if (byte === 0) return at + 1;
    if ((byte & POINTER_BITS) === POINTER_BITS) return at + 2 <= length ? at + 2 : MALFORMED;
    if (byte > MAX_LABEL_BYTES) return MALFORMED;
    at += byte + 1;
    if (at - offset >= MAX_NAME_BYTES) return MALFORMED;
  }
  return MALFORMED;
}

/**
 * Keyed hash for tables of names. It runs over a suffix from its end to its start, so that one pass gives the hash of
 * every suffix. The seed is secret, or an attacker could choose names that share a slot.
 */
function mix(hash: number, byte: number): number {
  const mixed = Math.imul(hash ^ byte, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** Final mix: spreads the last bytes, which otherwise reach few of the low bits that index a table. */
function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * Fills `out` with a 32-bit hash for every suffix of the name: out[i] for the one that starts at label i,
 * out[labelCount] for the root.
 */
export function hashSuffixes(name: NameScratch, seed: number, out: Int32Array): void {
  const bytes = name.bytes;
  let hash = mix(seed, 0);
  let at = name.length - 1;
  out[name.labelCount] = finish(hash);
  for (let label = name.labelCount - 1; label >= 0; label--) {
    const start = name.labelOffsets[label];
    while (at > start) hash = mix(hash, bytes[--at]);
    out[label] = finish(hash);
  }
}

/** Hashes a whole name in lower-cased wire form; equals the hash that hashSuffixes gives for it as a suffix. */
export function hashName(bytes: Uint8Array, seed: number): number {
  let hash = mix(seed, 0);
  for (let at = bytes.length - 2; at >= 0; at--) hash = mix(hash, bytes[at]);
  return finish(hash);
}

/** Compares a[aOffset, aOffset + length) with as many bytes of b from bOffset. */
export function equalBytes(
  a: Uint8Array,
  aOffset: number,
  b: Uint8Array,
  bOffset: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}

const DECIMAL_ESCAPE = /^[0-9]{3}$/;

/**
 * Converts presentation form (RFC 1035 5.1: `\.`, `\DDD`) to lower-cased wire form. Names outside ASCII become A-labels
 * (RFC 5891). For configuration and tests, not for the hot path.
 * @returns null for text with an empty label, a label over 63 bytes, or over 255 bytes in all.
 */
export function nameFromText(text: string): Uint8Array | null {
  const ascii = isAscii(text) ? text : domainToASCII(text);
  if (ascii === '') return null;
  if (ascii === '.') return new Uint8Array(1);
  const out: number[] = [];
  let label: number[] = [];
  for (let i = 0; i < ascii.length; i++) {
    const char = ascii[i];
    if (char === '.') {
      if (label.length === 0 || label.length > MAX_LABEL_BYTES) return null;
      out.push(label.length, ...label);
      label = [];
    } else if (char === '\\') {
      const digits = ascii.slice(i + 1, i + 4);
      if (DECIMAL_ESCAPE.test(digits)) {
        if (Number(digits) > 255) return null;
        label.push(lowerCase(Number(digits)));
        i += 3;
      } else {
        if (i + 1 >= ascii.length) return null;
        label.push(lowerCase(ascii.charCodeAt(++i)));
      }
    } else label.push(lowerCase(ascii.charCodeAt(i)));
  }
  if (label.length > MAX_LABEL_BYTES) return null;
  if (label.length > 0) out.push(label.length, ...label);
  out.push(0);
  return out.length > MAX_NAME_BYTES ? null : Uint8Array.from(out);
}

/** Converts wire form to presentation form, without the final dot; the root is ".". */
export function textFromName(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length && bytes[at] !== 0; at += bytes[at] + 1) {
    if (text !== '') text += '.';
    for (let i = at + 1; i <= at + bytes[at]; i++) text += presentByte(bytes[i]);
  }
  return text === '' ? '.' : text;
}

function presentByte(byte: number): string {
  if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
