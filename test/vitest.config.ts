import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const SYSTEM = 'test/system/**/*.test.ts';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    // System tests mostly wait, so two files at a time do not disturb each other even on two processors.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [SYSTEM],
          retry: 0,
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: [SYSTEM],
          // Real processes on a busy machine. `.ci/run` names each test that needed its second try and caps their number.
          retry: 1,
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
    ],
  },
});
