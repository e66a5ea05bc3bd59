/** Field names that this server acts on. */
export const FieldName = {
  /** A valid name without a meaning here. */
  OTHER: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  CONTENT_TYPE: 5,
  CONTENT_LENGTH: 6,
  TE: 7,
  /** These three describe one connection: HTTP/2 forbids them (RFC 9113 8.2.2). */
  CONNECTION: 8,
  TRANSFER_ENCODING: 9,
  CONNECTION_SPECIFIC: 10,
  HOST: 11,
  EXPECT: 12,
  /** A pseudo-header that is not defined for requests. */
  UNKNOWN_PSEUDO: 13,
  /** Not a field name at all. */
  INVALID: 14,
} as const;
export type FieldName = (typeof FieldName)[keyof typeof FieldName];

const NAMES: readonly (readonly [string, FieldName])[] = [
  [':method', FieldName.METHOD],
  [':scheme', FieldName.SCHEME],
  [':path', FieldName.PATH],
  [':authority', FieldName.AUTHORITY],
  ['content-type', FieldName.CONTENT_TYPE],
  ['content-length', FieldName.CONTENT_LENGTH],
  ['te', FieldName.TE],
  ['connection', FieldName.CONNECTION],
  ['transfer-encoding', FieldName.TRANSFER_ENCODING],
  ['keep-alive', FieldName.CONNECTION_SPECIFIC],
  ['proxy-connection', FieldName.CONNECTION_SPECIFIC],
  ['upgrade', FieldName.CONNECTION_SPECIFIC],
  ['host', FieldName.HOST],
  ['expect', FieldName.EXPECT],
];
interface KnownName {
  readonly bytes: Uint8Array;
  readonly name: FieldName;
}
/** Known names, indexed by length. */
const BY_LENGTH: readonly (readonly KnownName[])[] = Array.from({ length: 20 }, (_, length) =>
  NAMES.filter(([text]) => text.length === length).map(([text, name]) => ({
    bytes: Buffer.from(text),
    name,
  })),
);
const NONE: readonly KnownName[] = [];

const COLON = 0x3a;
/** 1 for bytes of a lower-case name: tchar of RFC 9110 5.6.2 without A to Z. */
const IS_NAME = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")) IS_NAME[byte] = 1;

/** True for bytes of a lower-case name. */
export const isNameByte = (byte: number): boolean => IS_NAME[byte] === 1;

/** Looks a lower-case name up. INVALID if it is empty or has upper case or other bytes (RFC 9113 8.2.1). */
export function fieldName(bytes: Uint8Array, start: number, end: number): FieldName {
  if (start === end) return FieldName.INVALID;
  const isPseudo = bytes[start] === COLON;
  for (let i = isPseudo ? start + 1 : start; i < end; i++) {
    if (IS_NAME[bytes[i]!] === 0) return FieldName.INVALID;
  }
  const length = end - start;
  const candidates = length < BY_LENGTH.length ? BY_LENGTH[length]! : NONE;
  for (let i = 0; i < candidates.length; i++) {
    if (equals(bytes, start, end, candidates[i]!.bytes)) return candidates[i]!.name;
  }
  return isPseudo ? FieldName.UNKNOWN_PSEUDO : FieldName.OTHER;
}

export function isPseudo(name: FieldName): boolean {
  return (name >= FieldName.METHOD && name <= FieldName.AUTHORITY) || name === FieldName.UNKNOWN_PSEUDO;
}

/** Checks a field value: no control character but HTAB, no space at either end (RFC 9110 5.5, RFC 9113 8.2.1). */
export function isFieldValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (isSpace(bytes[start]!) || isSpace(bytes[end - 1]!)) return false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte < 0x20 ? byte !== 0x09 : byte === 0x7f) return false;
  }
  return true;
}

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09;

/** Compares `bytes[start, end)` with `expected`. */
export function equals(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

/** Compares `bytes[start, end)` with `expected`, which is in lower case, ignoring ASCII case. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: Uint8Array,
): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) {
    if (lowerCase(bytes[start + i]!) !== expected[i]) return false;
  }
  return true;
}

/** Turns A to Z into a to z. */
export const lowerCase = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);

/** Reads an integer of decimal digits only (RFC 9110 8.6), at most 999,999,999. @returns -1 for anything else */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 9) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
