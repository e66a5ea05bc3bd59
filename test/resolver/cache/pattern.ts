import * as packet from 'dns-packet';
import { buildEntry } from '../../../src/resolver/cache/index.ts';
import { parseQuestion, Question } from '../../../src/wire/index.ts';

/** Answers whose every byte follows from their name and version, so that a mixture of two is noticed. */
export const NAMES = 200;
export const VERSIONS = 5;
export const NOW_SECONDS = 100;
const TTL_SECONDS = 1000;
const STRING_BYTES = 100;
const RECORD_FIXED_BYTES = 12;

function byte(name: number, version: number, string: number, index: number): number {
  if (index === 0) return name & 0xff;
  if (index === 1) return version;
  return (name * 31 + version * 89 + string * 7 + index) & 0xff;
}

const stringsOf = (name: number, version: number): number => 1 + ((name + version * 3) % 12);

function patternReply(name: number, version: number): Buffer {
  const owner = `n${name}.example`;
  const data = Array.from({ length: stringsOf(name, version) }, (_, string) =>
    Buffer.from(Array.from({ length: STRING_BYTES }, (_, i) => byte(name, version, string, i))),
  );
  return packet.encode({
    type: 'response',
    questions: [{ type: 'TXT', name: owner }],
    answers: [{ type: 'TXT', name: owner, ttl: TTL_SECONDS, data }],
  });
}

export function patternQuestion(name: number): Question {
  const message = patternReply(name, 0);
  const question = new Question();
  parseQuestion(message, message.length, 1, question);
  return question;
}

export function patternEntry(name: number, version: number): Uint8Array {
  const message = patternReply(name, version);
  const request = { question: patternQuestion(name), dnssecOk: false, checkingDisabled: false };
  return buildEntry(request, message, message.length, NOW_SECONDS * 1000)!.entry;
}

/** True if out[from, end) is one whole answer for this name, in one version, 5 s old. */
export function isWholeFor(name: number, out: Uint8Array, from: number, end: number): boolean {
  const rdata = from + RECORD_FIXED_BYTES;
  if (out[rdata] !== STRING_BYTES || out[rdata + 1] !== (name & 0xff)) return false;
  const version = out[rdata + 2];
  const strings = stringsOf(name, version);
  if (end !== rdata + strings * (STRING_BYTES + 1)) return false;
  if (out[from] !== 0xc0 || out[from + 1] !== 12) return false;
  const ttl = (out[from + 8] << 8) | out[from + 9];
  if (out[from + 6] !== 0 || out[from + 7] !== 0 || ttl !== TTL_SECONDS - 5) return false;
  for (let string = 0, at = rdata; string < strings; string++) {
    if (out[at++] !== STRING_BYTES) return false;
    for (let i = 0; i < STRING_BYTES; i++) if (out[at++] !== byte(name, version, string, i)) return false;
  }
  return true;
}
