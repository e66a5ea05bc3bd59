import { OPT_BYTES } from './edns.ts';
import { readU16, writeU16 } from './header.ts';
import { EdnsOption } from './types.ts';

/** Block lengths that messages are padded to (RFC 8467 4.1): what a length tells is then little. */
export const QUERY_BLOCK_BYTES = 128;
export const RESPONSE_BLOCK_BYTES = 468;
const OPTION_HEADER_BYTES = 4;
const OPT_RDLENGTH = OPT_BYTES - 2;

/**
 * Adds the padding option (RFC 7830) to a message that ends with its OPT record, so that its length is a
 * multiple of `blockBytes`, or `limit` where that is less.
 * @param optOffset where the OPT record stands, as writeOpt was told
 * @returns the new length; `end` where not even an empty option fits
 */
export function padMessage(
  m: Uint8Array,
  optOffset: number,
  end: number,
  blockBytes: number,
  limit: number,
): number {
  const least = end + OPTION_HEADER_BYTES;
  if (least > limit) return end;
  const padded = Math.min(Math.ceil(least / blockBytes) * blockBytes, limit);
  const rdlength = optOffset + OPT_RDLENGTH;
  writeU16(m, rdlength, readU16(m, rdlength) + padded - end);
  writeU16(m, end, EdnsOption.PADDING);
  writeU16(m, end + 2, padded - least);
  m.fill(0, least, padded);
  return padded;
}
