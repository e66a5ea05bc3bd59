import { workerData } from 'node:worker_threads';
import { RingWriter } from '../../src/dns/defer-ring.ts';
import { patternRecord } from './defer-ring-pattern.ts';

const { memory, records } = workerData as { memory: SharedArrayBuffer; records: number };
const ring = new RingWriter(memory);
const pause = new Int32Array(new SharedArrayBuffer(4));
for (let i = 0; i < records; i++) {
  const record = patternRecord(i);
  let at = ring.reserve(record.length);
  while (at < 0) {
    ring.ring();
    Atomics.wait(pause, 0, 0, 0.1);
    at = ring.reserve(record.length);
  }
  ring.bytes.set(record, at);
  ring.commit(record.length);
  if (i % 16 === 15) ring.ring();
}
ring.ring();
