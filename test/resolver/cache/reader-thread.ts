import { parentPort, workerData } from 'node:worker_threads';
import { type CacheHandle, CacheReader, CacheResult, OVERTAKEN } from '../../../src/resolver/cache/index.ts';
import { isWholeFor, NAMES, NOW_SECONDS, patternQuestion } from './pattern.ts';

/** Counts of a reading thread. */
export interface ReaderTally {
  hits: number;
  misses: number;
  overtaken: number;
  wrong: number;
}

const { handle, finds } = workerData as { handle: CacheHandle; finds: number };
const reader = new CacheReader(handle);
const questions = Array.from({ length: NAMES }, (_, i) => patternQuestion(i));
const out = new Uint8Array(8192);
const tally: ReaderTally = { hits: 0, misses: 0, overtaken: 0, wrong: 0 };
for (let i = 0; i < finds; i++) {
  const which = (i * 7919) % NAMES;
  const question = questions[which];
  if (reader.find(question, false, false, NOW_SECONDS + 5) === CacheResult.MISS) {
    tally.misses++;
    continue;
  }
  const end = reader.render(out, question.end, out.length, NOW_SECONDS + 5);
  if (end === OVERTAKEN) tally.overtaken++;
  else if (end > 0 && isWholeFor(which, out, question.end, end)) tally.hits++;
  else tally.wrong++;
}
parentPort?.postMessage(tally);
