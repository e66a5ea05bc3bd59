/** The benches' command line; the benches themselves are run by hand. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/service.ts';

const DIRECTORY = join(ROOT, 'bench');
const NAMES = readdirSync(DIRECTORY)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => basename(file, '.ts'));

function bench(...args: string[]) {
  const { status, stdout } = spawnSync(process.execPath, [join(DIRECTORY, 'main.ts'), ...args], {
    encoding: 'utf8',
  });
  return { status, stdout };
}

it('are listed, each with what it shows', () => {
  const { status, stdout } = bench();
  expect(status).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(NAMES.length);
  for (const name of NAMES) expect(stdout).toMatch(new RegExp(`^${name} +\\S.{20}`, 'm'));
});

it.each(NAMES)('%s prints its options', (name) => {
  const { status, stdout } = bench(name, '--help');
  expect(status).toBe(0);
  expect(stdout).toContain(`npm run bench -- ${name} [OPTIONS]`);
  expect(stdout).toMatch(/^ {2}--[\w-]+/m);
});

it('reject unknown names and options with exit code 2', () => {
  expect(bench('nonsense').status).toBe(2);
  expect(bench('udp', '--nonsense').status).toBe(2);
});
