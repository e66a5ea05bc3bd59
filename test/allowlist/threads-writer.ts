import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { AllowlistTable } from '../../src/allowlist/index.ts';
import { ALWAYS, FLAPPING, FRESH, legalProfile, prefixAt, Word } from './threads-keys.ts';

const { shared, ports } = workerData as { shared: SharedArrayBuffer; ports: MessagePort[] };
const words = new Int32Array(shared);
const table = new AllowlistTable();

for (let number = ALWAYS.first; number < ALWAYS.first + ALWAYS.count; number++) {
  table.set(prefixAt(number), legalProfile(number, 0));
}
for (const port of ports) port.postMessage(table.handle());
table.onReplaced((handle) => {
  for (const port of ports) port.postMessage(handle);
});
while (Atomics.load(words, Word.READERS_READY) < ports.length) {
  Atomics.wait(words, Word.READERS_READY, Atomics.load(words, Word.READERS_READY), 100);
}

let changes = 0;
let removed = 0;
for (let step = 1; step <= FRESH.count; step++) {
  table.set(prefixAt(FRESH.first + step), legalProfile(FRESH.first + step, 0));
  Atomics.store(words, Word.ADDED, step);
  if (removed < 0.7 * step) {
    removed += 1;
    table.remove(prefixAt(FRESH.first + removed));
    Atomics.store(words, Word.REMOVED, removed);
    changes += 1;
  }
  const flapping = FLAPPING.first + (step % FLAPPING.count);
  const turn = Math.floor(step / FLAPPING.count) % 3;
  if (turn === 2) table.remove(prefixAt(flapping));
  else table.set(prefixAt(flapping), legalProfile(flapping, turn as 0 | 1));
  const always = ALWAYS.first + (step % ALWAYS.count);
  table.set(prefixAt(always), legalProfile(always, (turn & 1) as 0 | 1));
  changes += 3;
}
Atomics.store(words, Word.FINISHED, 1);
parentPort?.postMessage({ changes, generations: table.handle().generation, size: table.size });
