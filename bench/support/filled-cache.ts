import { AnswerCache, buildEntry } from '../../src/resolver/cache/index.ts';
import { HEADER_BYTES, parseQuestion, Question } from '../../src/wire/index.ts';
import { queryFor } from './prober.ts';

const SEED = 7;
/** One A record, owner by pointer. */
const ANSWER = Buffer.from('c00c000100010000012c0004c000020a', 'hex');

export interface FilledCache {
  /** Held at the end. */
  readonly entries: number;
  /** Memory that the process grew by. */
  readonly grownBytes: number;
  readonly bytesEach: number;
  /** Without the bytes of the name and the records. */
  readonly overheadEach: number;
}

/** Stores that many answers, each to another name, in a cache of its own, and measures what it grew to. */
export function fillCache(answers: number, cacheBytes: number): FilledCache {
  const cache = new AnswerCache({ bytes: cacheBytes });
  const question = new Question();
  const asked = { question, dnssecOk: false, checkingDisabled: false };
  // What the first call makes for all that follow is not the cache's.
  let content = store(cache, asked, 0) * 0;
  const before = process.memoryUsage.rss();
  const heapBefore = process.memoryUsage().heapTotal;
  for (let i = 1; i <= answers; i++) content += store(cache, asked, i);
  // The heap's own growth is that of this loop's garbage.
  const heapGrown = Math.max(0, process.memoryUsage().heapTotal - heapBefore);
  const grownBytes = process.memoryUsage.rss() - before - heapGrown;
  const { entries } = cache.stats;
  const bytesEach = grownBytes / entries;
  return { entries, grownBytes, bytesEach, overheadEach: bytesEach - content / answers };
}

/** @returns bytes of the name and the records */
function store(cache: AnswerCache, asked: { question: Question } & Flags, i: number): number {
  const query = queryFor(`www.name-${i}.example.com`, 0);
  const reply = Buffer.concat([query, ANSWER]);
  reply.writeUInt16BE(0x8180, 2);
  reply.writeUInt16BE(1, 6);
  if (!parseQuestion(reply, reply.length, SEED, asked.question)) throw new Error('no question');
  cache.store(buildEntry(asked, reply, reply.length, 1_000_000)!.entry);
  return query.length - HEADER_BYTES - 4 + ANSWER.length;
}

interface Flags {
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}
