/**
 * Reads vitest's JSON report for `.ci/run`: names each test that passed at its second try, and prints the numbers of
 * passed and failed tests on the last line.
 */
import { readFileSync } from 'node:fs';

/** Number of retried tests that a run may have before each one more counts as a failure. */
export const MOST_RETRIED = 3;

interface TestResult {
  readonly fullName: string;
  readonly status: string;
  /** The errors of every try, so a retried test that passed has some too. */
  readonly failureMessages: readonly string[] | null;
}

export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly TestResult[];
  }[];
}

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly retried: readonly string[];
}

/** Counts a report's tests. A file that cannot be loaded has none and counts as one failure. */
export function summarize({ testResults }: Report): Summary {
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((test) => ({ ...test, file: name })),
  );
  const passed = tests.filter(({ status }) => status === 'passed');
  const failed = tests.filter(({ status }) => status === 'failed');
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  const retried = passed
    .filter(({ failureMessages }) => failureMessages !== null && failureMessages.length > 0)
    .map(({ file, fullName }) => `${file}: ${fullName}`);
  const tooMany = Math.max(0, retried.length - MOST_RETRIED);
  return { passed: passed.length, failed: failed.length + broken.length + tooMany, retried };
}

if (import.meta.main) {
  const { passed, failed, retried } = summarize(JSON.parse(readFileSync(process.argv[2], 'utf8')));
  for (const test of retried) process.stdout.write(`== passed at the second try: ${test}\n`);
  if (retried.length > MOST_RETRIED) {
    process.stdout.write(`== ${retried.length} tests needed a second try; at most ${MOST_RETRIED} may\n`);
  }
  process.stdout.write(`${passed} ${failed}\n`);
}
