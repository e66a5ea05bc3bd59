import { parentPort, workerData } from 'node:worker_threads';
import { type CacheHandle, CacheWriter } from '../../../src/resolver/cache/index.ts';
import { NAMES, patternEntry, VERSIONS } from './pattern.ts';

const { handle, stores } = workerData as { handle: CacheHandle; stores: number };
const writer = new CacheWriter(handle);
const entries = Array.from({ length: NAMES * VERSIONS }, (_, i) =>
  patternEntry(i % NAMES, Math.floor(i / NAMES)),
);
for (let i = 0; i < stores; i++) writer.store(entries[(i * 6661) % entries.length]);
parentPort?.postMessage('done');
