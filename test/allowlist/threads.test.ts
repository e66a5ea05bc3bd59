import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { ALWAYS, FLAPPING, SHARED_BYTES } from './threads-keys.ts';

interface ReaderReport {
  errors: Record<string, number>;
  rounds: number;
  attached: number;
  presentSeen: number;
}

test('two threads read nothing but the truth while a third makes millions of changes', {
  timeout: 120_000,
}, async () => {
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const channels = [new MessageChannel(), new MessageChannel()];
  const readers = channels.map(({ port2 }) => {
    const options = { workerData: { shared, port: port2 }, transferList: [port2] };
    return new Worker(new URL('./threads-reader.ts', import.meta.url), options);
  });
  const ports = channels.map(({ port1 }) => port1);
  const writer = new Worker(new URL('./threads-writer.ts', import.meta.url), {
    workerData: { shared, ports },
    transferList: ports,
  });
  const reported = [writer, ...readers].map((worker) => once(worker, 'message'));
  const [[written], ...read] = await Promise.all(reported);

  expect(written.changes).toBeGreaterThan(3_000_000);
  expect(written.generations).toBeGreaterThan(20);
  expect(written.size).toBeGreaterThan(ALWAYS.count + FLAPPING.count / 2 + 250_000);
  for (const [report] of read as [ReaderReport][]) {
    expect(Object.entries(report.errors).filter(([, count]) => count > 0)).toEqual([]);
    expect(report.rounds).toBeGreaterThan(100);
    expect(report.attached).toBeGreaterThan(5);
    expect(report.presentSeen).toBeGreaterThan(0);
  }
  await Promise.all([writer, ...readers].map((worker) => worker.terminate()));
});
