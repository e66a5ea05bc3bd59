import { hashSuffixes, lowerCase, MAX_NAME_BYTES, type NameScratch, Question } from '../wire/index.ts';

const MAX_LABEL_BYTES = 63;
const DOT = 0x2e;

/**
 * The name that a connection asks for, in the form that the catalog and the resolver take. Made once a
 * thread and filled again: no name stays longer than the connection that it came with.
 */
export class HostName extends Question {}

/**
 * Reads bytes[start, end) as a host name: letters of either case, digits, hyphens and underscores in labels
 * of 1 to 63. What only looks like one is none: IP addresses in any notation (a last label that begins with a
 * digit, as no top-level domain does), a dot at the end (RFC 6066, 3), an empty label, NUL, anything not ASCII.
 *
 * @returns false where it is none; `out` then holds nothing of use.
 */
export function readHostName(
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
  out: HostName,
): boolean {
  // A length byte takes the place of each dot; the first label's and the root's come on top.
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
