import { domainToASCII } from 'node:url';

/** The longest name in wire form, root label included (RFC 1035 2.3.4). */
export const MAX_NAME_BYTES = 255;
/** The most labels that fit, the root not counted: 127 of one byte each. */
export const MAX_LABELS = 127;
const MAX_LABEL_BYTES = 63;
const POINTER_BITS = 0xc0;
/** A pointer leads to a label, so a name has no use for more; a message of pointers alone could hold thousands. */
const MAX_POINTERS = MAX_LABELS;

/** A malformed name, as readName and skipName report it. */
export const MALFORMED = -1;

/**
 * A name as read: uncompressed, lower-cased wire form with the root label, and where its labels start.
 * Made once and filled again by each readName.
 */
export class NameScratch {
  readonly bytes = new Uint8Array(MAX_NAME_BYTES);
  /** Bytes used in bytes, the root's included: 1 for the root itself. */
  length = 0;
  /** Labels without the root. */
  labelCount = 0;
  /** labelOffsets[i]: index in bytes of the length byte of label i; entry labelCount is the root's. */
  readonly labelOffsets = new Uint8Array(MAX_LABELS + 1);
}

/** ASCII letters are compared without regard to case (RFC 4343); all other bytes stand for themselves. */
export function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet;
}

/**
 * Reads the name at `offset` of the message m[0, length), following compression pointers (RFC 1035
 * 4.1.4). Pointers must lead strictly backwards, to before the place where the name, or the part last
 * pointed at, began, and are at most MAX_POINTERS; so no message can make it loop, and a name costs at most
 * 255 bytes and as many pointers of work.
 *
 * @returns the offset behind the name as it stands in the message, or MALFORMED.
 */
export function readName(m: Uint8Array, length: number, offset: number, out: NameScratch): number {
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
    const octet = m[at];
    if ((octet & POINTER_BITS) === POINTER_BITS) {
      if (at + 1 >= length || ++pointers > MAX_POINTERS) return MALFORMED;
      if (end === MALFORMED) end = at + 2;
      const target = ((octet & 0x3f) << 8) | m[at + 1];
      if (target >= lowest) return MALFORMED;
      lowest = target;
      at = target;
      continue;
    }
    if (octet > MAX_LABEL_BYTES) return MALFORMED;
    if (used + octet + 1 > MAX_NAME_BYTES) return MALFORMED;
    labelOffsets[labels] = used;
    bytes[used++] = octet;
    at++;
    if (octet === 0) break;
    if (at + octet > length) return MALFORMED;
    for (const stop = at + octet; at < stop; at++) bytes[used++] = lowerCase(m[at]);
    labels++;
  }
  out.length = used;
  out.labelCount = labels;
  return end === MALFORMED ? at : end;
}

/**
 * The offset behind the name at `offset`, without reading what its pointers lead to.
 * @returns MALFORMED where the name runs past the message or has a label type other than 00 and 11.
 */
export function skipName(m: Uint8Array, length: number, offset: number): number {
  let at = offset;
  while (at < length) {
    const octet = m[at];
    if (octet === 0) return at + 1;
    if ((octet & POINTER_BITS) === POINTER_BITS) return at + 2 <= length ? at + 2 : MALFORMED;
    if (octet > MAX_LABEL_BYTES) return MALFORMED;
    at += octet + 1;
    if (at - offset >= MAX_NAME_BYTES) return MALFORMED;
  }
  return MALFORMED;
}

/**
 * The keyed hash that tables of names use: over the bytes of a suffix from its end to its start, so that
 * one pass gives the hash of every suffix. The seed is a secret of the process; otherwise names could be
 * chosen that share a slot.
 */
function mix(hash: number, octet: number): number {
  const mixed = Math.imul(hash ^ octet, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** Spreads what the last bytes left in the low bits; without it a table's lower bits would be poor. */
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

/** The hash of a whole name in lower-cased wire form: what hashSuffixes gives for it as a suffix. */
export function hashName(bytes: Uint8Array, seed: number): number {
  let hash = mix(seed, 0);
  for (let at = bytes.length - 2; at >= 0; at--) hash = mix(hash, bytes[at]);
  return finish(hash);
}

/** Whether `length` bytes of a from aOffset and of b from bOffset are the same. */
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
 * Presentation form (RFC 1035 5.1: `\.`, `\DDD`) to lower-cased wire form. Names outside ASCII are
 * turned into A-labels (RFC 5891). For configuration and tests, not for the hot path.
 * @returns null where the text is no name: an empty label, a label over 63 bytes, over 255 in all.
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

/** Wire form to presentation form, without the final dot; the root is ".". */
export function textFromName(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length && bytes[at] !== 0; at += bytes[at] + 1) {
    if (text !== '') text += '.';
    for (let i = at + 1; i <= at + bytes[at]; i++) text += presentOctet(bytes[i]);
  }
  return text === '' ? '.' : text;
}

function presentOctet(octet: number): string {
  if (octet === 0x2e || octet === 0x5c) return `\\${String.fromCharCode(octet)}`;
  if (octet > 0x20 && octet < 0x7f) return String.fromCharCode(octet);
  return `\\${String(octet).padStart(3, '0')}`;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
