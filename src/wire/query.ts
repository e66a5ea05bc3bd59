import { OPT_BYTES, writeOpt } from './edns.ts';
import {
  CD_BIT,
  HEADER_BYTES,
  RD_BIT,
  setAdditionalCount,
  setId,
  setQuestionCount,
  writeU16,
} from './header.ts';
import { ExtendedError } from './types.ts';

/** Content of a query to an upstream. */
export interface QueryFields {
  id: number;
  /** Wire form, in the case to send. */
  name: Uint8Array;
  nameLength: number;
  type: number;
  qclass: number;
  checkingDisabled: boolean;
  /** Payload size to announce; null for a query without OPT. */
  udpSize: number | null;
  dnssecOk: boolean;
}

/** Longest message that writeQuery writes, in bytes. */
export const MAX_QUERY_BYTES = HEADER_BYTES + 255 + 4 + OPT_BYTES;

/** Writes a standard query with RD=1 at the start of `out`. @returns its length in bytes. */
export function writeQuery(out: Uint8Array, fields: QueryFields): number {
  out.fill(0, 0, HEADER_BYTES);
  setId(out, fields.id);
  out[2] = RD_BIT;
  out[3] = fields.checkingDisabled ? CD_BIT : 0;
  setQuestionCount(out, 1);
  for (let i = 0; i < fields.nameLength; i++) out[HEADER_BYTES + i] = fields.name[i];
  const end = HEADER_BYTES + fields.nameLength;
  writeU16(out, end, fields.type);
  writeU16(out, end + 2, fields.qclass);
  if (fields.udpSize === null) return end + 4;
  setAdditionalCount(out, 1);
  return writeOpt(out, end + 4, fields.udpSize, 0, fields.dnssecOk, ExtendedError.NONE);
}
