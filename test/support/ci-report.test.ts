import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MOST_RETRIED, type Report, summarize } from './ci-report.ts';

const passed = { fullName: 'passes', status: 'passed', failureMessages: [] };
const retried = { fullName: 'passes later', status: 'passed', failureMessages: ['AssertionError'] };
const failed = { fullName: 'fails', status: 'failed', failureMessages: ['AssertionError', 'AssertionError'] };

/** A report of one file. */
function report(tests: Report['testResults'][0]['assertionResults'], status = 'passed'): Report {
  return { testResults: [{ name: 'a.test.ts', status, assertionResults: tests }] };
}

describe('the report of a CI run', () => {
  it('counts passed and failed tests', () => {
    expect(summarize(report([passed, failed, passed], 'failed'))).toEqual({
      passed: 2,
      failed: 1,
      retried: [],
    });
  });

  it('names a test that passed at its second try, and counts it as passed', () => {
    expect(summarize(report([passed, retried]))).toEqual({
      passed: 2,
      failed: 0,
      retried: ['a.test.ts: passes later'],
    });
  });

  it('fails when more tests than allowed needed their second try', () => {
    const most = Array.from({ length: MOST_RETRIED }, () => retried);
    expect(summarize(report(most)).failed).toBe(0);
    expect(summarize(report([...most, retried, retried])).failed).toBe(2);
  });

  it('counts a file that cannot be loaded as one failure', () => {
    expect(summarize(report([], 'failed'))).toEqual({ passed: 0, failed: 1, retried: [] });
  });

  it('prints the retried tests and ends with the counts', () => {
    const folder = mkdtempSync(join(tmpdir(), 'report-'));
    const file = join(folder, 'report.json');
    writeFileSync(file, JSON.stringify(report([passed, retried, failed], 'failed')));
    const script = join(import.meta.dirname, 'ci-report.ts');
    const { stdout } = spawnSync(process.execPath, [script, file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect(stdout).toBe('== passed at the second try: a.test.ts: passes later\n2 1\n');
  });
});
