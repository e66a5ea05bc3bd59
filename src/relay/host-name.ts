import { hashSuffixes, lowerCase, MAX_NAME_BYTES, type NameScratch, Question } from '../wire/index.ts';

const MAX_LABEL_BYTES = 63;
const DOT = 0x2e;

/**
 * A client's host name in the form the catalog and resolver take. One instance per thread is reused, so no name
 * outlives its connection.
 */
export class HostName extends Question {}

/**
 * Reads bytes[start, end) as a host name: ASCII letters, digits, hyphens and underscores in labels of 1 to 63
 * bytes. Rejects IP addresses in any notation (the last label must not begin with a digit), a trailing dot (RFC
 * 6066 section 3), empty labels, NUL and non-ASCII.
 * @returns false if it is not a host name; `out` is then undefined
 */
export function readHostName(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  out: HostName,
): boolean {
  // Wire form: each dot becomes a length byte; the first label's length and the root's zero are extra.
  if (end <= start || end - start + 2 > MAX_NAME_BYTES) return false;
  const { name } = out;
  if (!readLabels(bytes, start, end, name)) return false;
  const lastLabel = name.labelOffsets[name.labelCount - 1];
  if (isDigit(name.bytes[lastLabel + 1])) return false;
  hashSuffixes(name, seed, out.hashes);
  return true;
}

function readLabels(bytes: Uint8Array, start: number, end: number, name: NameScratch): boolean {
  let labelStart = 0;
  let used = 1;
  let labels = 0;
  for (let at = start; at <= end; at++) {
    const byte = at === end ? DOT : lowerCase(bytes[at]);
    if (byte !== DOT) {
      if (!isHostByte(byte)) return false;
      name.bytes[used++] = byte;
      continue;
    }
    const length = used - labelStart - 1;
    if (length < 1 || length > MAX_LABEL_BYTES) return false;
    name.bytes[labelStart] = length;
    name.labelOffsets[labels++] = labelStart;
    labelStart = used++;
  }
  name.bytes[labelStart] = 0;
  name.labelOffsets[labels] = labelStart;
  name.labelCount = labels;
  name.length = labelStart + 1;
  return true;
}

function isHostByte(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || isDigit(byte) || byte === 0x2d || byte === 0x5f;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
