import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { AnswerCache, CacheReader, CacheResult } from '../../../src/resolver/cache/index.ts';
import { isWholeFor, NAMES, NOW_SECONDS, patternEntry, patternQuestion, VERSIONS } from './pattern.ts';
import type { ReaderTally } from './reader-thread.ts';

const FINDS = 1_000_000;

function startReader(cache: AnswerCache): Promise<ReaderTally> {
  const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), {
    workerData: { handle: cache.handle(), finds: FINDS },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('one writer and two reading threads', () => {
  it('agree: over two million finds in a small arena, every answer rendered is whole and the right one', {
    timeout: 60_000,
  }, async () => {
    const cache = new AnswerCache({ bytes: 64 * 1024, firstPosition: 0xfffffffe - 2 ** 24 });
    const entries = Array.from({ length: NAMES * VERSIONS }, (_, i) =>
      patternEntry(i % NAMES, Math.floor(i / NAMES)),
    );
    let reading = 2;
    const readers = [startReader(cache), startReader(cache)].map((reader) => reader.finally(() => reading--));
    for (let i = 0; reading > 0; i++) {
      cache.store(entries[(i * 7919) % entries.length]);
      if (i % 5000 === 0) await turn();
    }
    const tallies = await Promise.all(readers);
    for (const tally of tallies) {
      expect(tally.wrong).toBe(0);
      expect(tally.hits).toBeGreaterThan(FINDS / 100);
    }
    if (process.env['SHOW']) process.stdout.write(`${JSON.stringify({ tallies, stats: cache.stats })}\n`);
  });
});

describe('three writers', () => {
  it('take turns: nothing is lost or torn, and the counts add up', { timeout: 60_000 }, async () => {
    const stores = 100_000;
    const cache = new AnswerCache({ bytes: 64 * 1024, firstPosition: 0xfffffffe - 2 ** 20 });
    const writers = [1, 2, 3].map(() => {
      const workerData = { handle: cache.handle(), stores };
      return new Worker(new URL('./writer-thread.ts', import.meta.url), { workerData });
    });
    await Promise.all(
      writers.map(
        (writer) =>
          new Promise<void>((resolve, reject) => {
            writer.once('message', () => resolve());
            writer.once('error', reject);
          }),
      ),
    );
    expect(cache.stats.stored).toBe(3 * stores);
    const reader = new CacheReader(cache.handle());
    const out = new Uint8Array(8192);
    let found = 0;
    for (let name = 0; name < NAMES; name++) {
      const question = patternQuestion(name);
      if (reader.find(question, false, false, NOW_SECONDS + 5) === CacheResult.MISS) continue;
      const end = reader.render(out, question.end, out.length, NOW_SECONDS + 5);
      expect(isWholeFor(name, out, question.end, end)).toBe(true);
      found++;
    }
    expect(found).toBe(cache.stats.entries);
    expect(found).toBeGreaterThan(20);
  });
});
