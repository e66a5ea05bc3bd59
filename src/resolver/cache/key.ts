import type { Question } from '../../wire/index.ts';

const DNSSEC_OK = 1;
const CHECKING_DISABLED = 2;

/** DO and CD as bits of the key. */
export function keyFlags(dnssecOk: boolean, checkingDisabled: boolean): number {
  return (dnssecOk ? DNSSEC_OK : 0) | (checkingDisabled ? CHECKING_DISABLED : 0);
}

/**
 * Hash of a key, unsigned: the seeded hash of the name (question.hashes, with the same seed in all threads),
 * mixed with the rest.
 */
export function keyHash(nameHash: number, type: number, qclass: number, flags: number): number {
  let h = nameHash ^ Math.imul((type << 16) | qclass, 0x9e3779b1) ^ Math.imul(flags, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Type in the key of a denial: the name does not exist, whatever the type (RFC 2308 5). */
export const DENIAL_TYPE = 0;

/** Key of an answer. Reusable. */
export class EntryKey {
  hash = 0;
  /** Name in lower-cased wire form: nameBytes[nameOffset, nameOffset + nameLength). */
  nameBytes: Uint8Array = new Uint8Array(0);
  nameOffset = 0;
  nameLength = 0;
  type = 0;
  qclass = 0;
  flags = 0;

  /** Sets the key for a type at the question's name, or at its suffix from `label` on. */
  set(question: Question, label: number, type: number, flags: number): void {
    const name = question.name;
    this.nameBytes = name.bytes;
    this.nameOffset = name.labelOffsets[label];
    this.nameLength = name.length - this.nameOffset;
    this.type = type;
    this.qclass = question.qclass;
    this.flags = flags;
    this.hash = keyHash(question.hashes[label], type, question.qclass, flags);
  }
}
