import { OPT_BYTES } from './edns.ts';
import { readU16, writeU16 } from './header.ts';
import { EdnsOption } from './types.ts';

/** Block lengths to pad to (RFC 8467 4.1), so that a length reveals little. */
export const QUERY_BLOCK_BYTES = 128;
export const RESPONSE_BLOCK_BYTES = 468;
const OPTION_HEADER_BYTES = 4;
const OPT_RDLENGTH = OPT_BYTES - 2;

/**
 * Adds the padding option (RFC 7830) to a message that ends with its OPT record, so that its length is a multiple of
 * `blockBytes`, or `limit` if that is less.
 * @param optOffset start of the OPT record, as given to writeOpt
 * @returns the new length; `end` if not even an empty option fits
 */
export function padMessage(
  message: Uint8Array,
  optOffset: number,
  end: number,
  blockBytes: number,
  limit: number,
): number {
  const least = end + OPTION_HEADER_BYTES;
  if (least > limit) return end;
  const padded = Math.min(Math.ceil(least / blockBytes) * blockBytes, limit);
  const rdlength = optOffset + OPT_RDLENGTH;
  writeU16(message, rdlength, readU16(message, rdlength) + padded - end);
  writeU16(message, end, EdnsOption.PADDING);
  writeU16(message, end + 2, padded - least);
  message.fill(0, least, padded);
  return padded;
}
