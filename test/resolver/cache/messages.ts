import * as packet from 'dns-packet';
import {
  BAD_REPLY,
  type BuiltEntry,
  buildEntry,
  DEFAULT_TTL_LIMITS,
  EntryReader,
  type EntryRequest,
  NOT_PLAIN,
  PlainEntryBuilder,
  type TtlLimits,
} from '../../../src/resolver/cache/index.ts';
import { Match, matchReply, ReplySurvey } from '../../../src/resolver/reply.ts';
import {
  isTruncated,
  parseQuestion,
  Question,
  Rcode,
  RecordType,
  writeU16,
} from '../../../src/wire/index.ts';

export const SEED = 0x5eed;
const AA = 1 << 10;
const RA = 1 << 7;

export interface ReplyParts {
  name?: string;
  type?: string;
  rcode?: number;
  flags?: number;
  answers?: packet.Answer[];
  authorities?: packet.Answer[];
  additionals?: packet.Answer[];
}

export const a = (name: string, ttl: number, data: string): packet.Answer => ({ type: 'A', name, ttl, data });
export const cname = (name: string, ttl: number, data: string): packet.Answer => ({
  type: 'CNAME',
  name,
  ttl,
  data,
});
export const ns = (name: string, ttl: number, data: string): packet.Answer => ({
  type: 'NS',
  name,
  ttl,
  data,
});
export const soa = (name: string, ttl: number, minimum: number): packet.Answer => ({
  type: 'SOA',
  name,
  ttl,
  data: { mname: `ns.${name}`, rname: `root.${name}`, serial: 1, refresh: 2, retry: 3, expire: 4, minimum },
});
export const rrsig = (name: string, ttl: number, typeCovered: string): packet.Answer =>
  ({
    type: 'RRSIG',
    name,
    ttl,
    data: {
      typeCovered,
      algorithm: 13,
      labels: 2,
      originalTTL: ttl,
      expiration: 2_000_000_000,
      inception: 1_700_000_000,
      keyTag: 7,
      signersName: 'example.com',
      signature: Buffer.alloc(64, 1),
    },
  }) as packet.Answer;

/** An upstream's reply, written by dns-packet. */
export function reply(parts: ReplyParts): Buffer {
  return packet.encode({
    type: 'response',
    id: 1,
    flags: (parts.flags ?? AA | RA) | (parts.rcode ?? 0),
    questions: [{ type: (parts.type ?? 'A') as packet.RecordType, name: parts.name ?? 'www.example.com' }],
    answers: parts.answers ?? [],
    authorities: parts.authorities ?? [],
    additionals: parts.additionals ?? [],
  });
}

/** The question of a query for this name. */
export function questionFor(name: string, type = 'A', seed = SEED): Question {
  const query = packet.encode({ type: 'query', questions: [{ type: type as packet.RecordType, name }] });
  const question = new Question();
  if (!parseQuestion(query, query.length, seed, question)) throw new Error('no question');
  return question;
}

export interface BuildOptions {
  dnssecOk?: boolean;
  nowSeconds?: number;
  limits?: TtlLimits;
  question?: Question;
}

const plain = new PlainEntryBuilder();
const survey = new ReplySurvey();
/** Entries that the plain builder has built like buildEntry. */
export const plainTally = { built: 0 };

/** buildEntry on a message, for the question that stands in it. PlainEntryBuilder must agree wherever it builds. */
export function build(message: Uint8Array, options: BuildOptions = {}): BuiltEntry | null {
  const question = options.question ?? questionOf(message);
  const request = { question, dnssecOk: options.dnssecOk ?? false, checkingDisabled: false };
  const nowSeconds = options.nowSeconds ?? 100;
  const built = buildEntry(request, message, message.length, nowSeconds * 1000, options.limits);
  comparePlain(message, request, nowSeconds, options.limits ?? DEFAULT_TTL_LIMITS, built);
  return built;
}

function comparePlain(
  original: Uint8Array,
  request: EntryRequest,
  nowSeconds: number,
  limits: TtlLimits,
  built: BuiltEntry | null,
): void {
  const message = Uint8Array.from(original);
  const { name, end } = request.question;
  const match = matchReply(message, message.length, {
    bytes: questionBytes(request),
    questionEnd: end,
    hasEdns: false,
    hasMixedCase: false,
  });
  const isFit =
    message.length >= end &&
    (match === Match.EXACT || match === Match.CASE_DIFFERS) &&
    !isTruncated(message) &&
    survey.read(message, message.length, end) &&
    (survey.rcode === Rcode.NOERROR || survey.rcode === Rcode.NXDOMAIN);
  if (!isFit) return;
  message.set(name.bytes.subarray(0, name.length), 12);
  const length = plain.build(request, message, message.length, survey.rcode, nowSeconds, limits);
  if (length === NOT_PLAIN) return;
  if (length === BAD_REPLY) {
    if (built !== null) throw new Error('the plain builder refuses what buildEntry takes');
    return;
  }
  if (built === null) throw new Error('the plain builder takes what buildEntry refuses');
  const same = Buffer.compare(plain.encoder.bytes.subarray(0, length), built.entry) === 0;
  if (!same || plain.cacheable !== built.cacheable)
    throw new Error('the plain builder builds something else');
  plainTally.built++;
}

function questionBytes({ question }: EntryRequest): Uint8Array {
  const bytes = new Uint8Array(12 + question.name.length + 4);
  bytes.set(question.name.bytes.subarray(0, question.name.length), 12);
  writeU16(bytes, 12 + question.name.length, question.type);
  writeU16(bytes, 14 + question.name.length, question.qclass);
  return bytes;
}

export function questionOf(message: Uint8Array): Question {
  const question = new Question();
  if (!parseQuestion(message, message.length, SEED, question)) throw new Error('no question');
  return question;
}

/** The part of a view that renders. */
interface Renders {
  rcode: number;
  answerCount: number;
  authorityCount: number;
  render(out: Uint8Array, outOffset: number, maxLength: number, nowSeconds: number): number;
  renderTruncated(out: Uint8Array, outOffset: number, maxLength: number, nowSeconds: number): number;
}

/** A reply as a listener would send it: header and question in the case of `name`, then the records. */
export function answerWith(
  view: Renders,
  name: string,
  type: string,
  nowSeconds: number,
  maxLength = 65535,
): Buffer | null {
  const out = new Uint8Array(new SharedArrayBuffer(65535));
  const query = packet.encode({ type: 'query', questions: [{ type: type as packet.RecordType, name }] });
  out.set(query);
  let end = view.render(out, query.length, maxLength, nowSeconds);
  if (end === -1) end = view.renderTruncated(out, query.length, maxLength, nowSeconds);
  if (end < 0) return null;
  out[2] = 0x80;
  out[3] = view.rcode;
  writeU16(out, 6, view.answerCount);
  writeU16(out, 8, view.authorityCount);
  return Buffer.from(out.slice(0, end));
}

/** Builds, renders and decodes with dns-packet; fails without an entry. */
export function through(
  message: Uint8Array,
  options: BuildOptions & { atSeconds?: number } = {},
): packet.Packet {
  const built = build(message, options);
  if (built === null) throw new Error('no entry');
  const question = packet.decode(Buffer.from(message)).questions?.[0];
  const now = options.atSeconds ?? options.nowSeconds ?? 100;
  const view = new EntryReader(built.entry, now);
  const out = answerWith(view, question?.name ?? '', question?.type ?? 'A', now);
  if (out === null) throw new Error('overtaken');
  return packet.decode(out);
}

/** Records in one line each: owner, type, TTL, data. */
export function lines(records: packet.Answer[] | undefined): string[] {
  return (records ?? []).map((record) => {
    const { name, type, ttl, data } = record as { name: string; type: string; ttl: number; data: unknown };
    return `${name} ${type} ${ttl} ${typeof data === 'string' ? data : JSON.stringify(data)}`;
  });
}

/** A raw message, for what dns-packet cannot write: bytes from numbers and strings (as ASCII). */
export function raw(...parts: (number | string | number[])[]): Uint8Array {
  const bytes: number[] = [];
  for (const part of parts) {
    if (typeof part === 'number') bytes.push(part);
    else if (typeof part === 'string') bytes.push(...Buffer.from(part, 'latin1'));
    else bytes.push(...part);
  }
  return Uint8Array.from(bytes);
}

export const T = RecordType;
