import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most of a system test is waiting, so that two files at a time do not disturb each other even on two processors.
    maxWorkers: Math.max(2, availableParallelism()),
    // Real processes on a busy machine: what fails twice is a fault, what fails once is told by the reporter.
    retry: 1,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
