/** What a field's name means to this server. */
export const FieldName = {
  /** One that it has no use for. */
  OTHER: 0,
  METHOD: 1,
  SCHEME: 2,
  PATH: 3,
  AUTHORITY: 4,
  CONTENT_TYPE: 5,
  CONTENT_LENGTH: 6,
  TE: 7,
  /** Of one connection: these have no place in HTTP/2 (RFC 9113 8.2.2). */
  CONNECTION: 8,
  TRANSFER_ENCODING: 9,
  CONNECTION_SPECIFIC: 10,
  HOST: 11,
  EXPECT: 12,
  /** A pseudo-header that no request has. */
  UNKNOWN_PSEUDO: 13,
  /** What is no name. */
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
/** Known names by their length. */
const BY_LENGTH: readonly (readonly KnownName[])[] = Array.from({ length: 20 }, (_, length) =>
  NAMES.filter(([text]) => text.length === length).map(([text, name]) => ({
    bytes: Buffer.from(text),
    name,
  })),
);
const NONE: readonly KnownName[] = [];

const COLON = 0x3a;
/** Bytes of a name in lower case: tchar of RFC 9110 5.6.2 without A to Z. */
const IS_NAME = new Uint8Array(256);
for (const octet of Buffer.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")) IS_NAME[octet] = 1;

/** Whether an byte may stand in a name, in lower case. */
export const isNameOctet = (octet: number): boolean => IS_NAME[octet] === 1;

/** What a name in lower case means; INVALID where it is in upper case, empty or has other bytes (RFC 9113 8.2.1). */
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

/** Whether bytes are a field's value: no control but HTAB, no space at the ends (RFC 9110 5.5, RFC 9113 8.2.1). */
export function isFieldValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (isSpace(bytes[start]!) || isSpace(bytes[end - 1]!)) return false;
  for (let i = start; i < end; i++) {
    const octet = bytes[i]!;
    if (octet < 0x20 ? octet !== 0x09 : octet === 0x7f) return false;
  }
  return true;
}

export const isSpace = (octet: number): boolean => octet === 0x20 || octet === 0x09;

/** Whether bytes are these. */
export function equals(bytes: Uint8Array, start: number, end: number, expected: Uint8Array): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

/** Whether bytes are this text in lower case, whatever their case. */
export function equalsIgnoringCase(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: Uint8Array,
): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) {
    const octet = bytes[start + i]!;
    const lower = octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet;
    if (lower !== expected[i]) return false;
  }
  return true;
}

/** A number in decimal digits alone (RFC 9110 8.6), at most 999,999,999; -1 for anything else. */
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
