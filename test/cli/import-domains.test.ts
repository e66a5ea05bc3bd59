import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/cli/command.ts';
import { command } from '../../src/cli/import-domains.ts';

let cwd = '';
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'import-'));
  await writeFile(join(cwd, 'plain'), 'plain.example\nfull:one.akamaized.net\n');
  await writeFile(join(cwd, 'patterns'), 'patterns.example\nregexp:^a$\n');
  await writeFile(join(cwd, 'broken'), 'include:nowhere\n');
});
afterEach(() => rm(cwd, { recursive: true }));

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (text: string) => out.push(text), err: (text: string) => err.push(text), cwd, env: {} };
  const code = await command.run(args, io);
  return { code, out: out.join(''), err };
}

const GIVEN = ['--title', 'Plain TV', '--regions', 'us,no'];

describe('import-domains', () => {
  it('writes to standard output, and exits 0 if every line is expressible', async () => {
    const { code, out, err } = await run(...GIVEN, 'plain');
    expect({ code, err }).toEqual({ code: 0, err: [] });
    expect(out).toBe(`# Imported by import-domains from the domain list "plain".
service: plain
title: Plain TV
regions: [us, "no"]
verified: imported
source: domain list plain
names:
  - plain.example
exact:
  - one.akamaized.net
`);
  });

  it('writes, reports and exits 3 if a line is not expressible', async () => {
    const { code, out, err } = await run(...GIVEN, '--service', 'other', 'patterns');
    expect(code).toBe(3);
    expect(out).toContain('service: other\n');
    expect(err).toEqual([`${join(cwd, 'patterns')}:2: regexp:^a$: a regexp has no form in the catalog`]);
  });

  it.each([
    ['a missing include', ['broken'], /broken:1: include:nowhere: there is no list "nowhere"$/],
    ['a missing list', ['nowhere'], /nowhere: no such file$/],
    ['a directory', ['.'], /EISDIR$/],
    ['an id that is none', ['--service', 'A', 'plain'], /service: found "A", expected an id/],
    [
      '--without that matches nothing',
      ['--without', 'no.example', 'plain'],
      /--without no\.example: matches nothing/,
    ],
    [
      'a list of which nothing is left',
      ['--without', 'plain.example,one.akamaized.net', 'plain'],
      /found no name/,
    ],
    ['a directory that is not there', ['--out', 'no/plain.yaml', 'plain'], /ENOENT$/],
  ])('writes nothing and exits 1 for %s', async (_, args, expected) => {
    const { code, out, err } = await run(...GIVEN, ...args);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err[0]).toMatch(expected);
  });

  it.each([
    ['no FILE', GIVEN],
    ['two FILEs', [...GIVEN, 'plain', 'patterns']],
    ['an unknown option', [...GIVEN, '--colour', 'plain']],
    ['no title', ['--regions', 'us', 'plain']],
    ['no regions', ['--title', 'Plain', 'plain']],
  ])('calls %s bad usage', async (_, args) => {
    await expect(run(...args)).rejects.toBeInstanceOf(UsageError);
  });
});

describe('an existing file', () => {
  it('is not overwritten', async () => {
    await writeFile(join(cwd, 'plain.yaml'), 'mine');
    const { code, err } = await run(...GIVEN, '--out', 'plain.yaml', 'plain');
    expect(code).toBe(1);
    expect(err[0]).toMatch(/plain\.yaml exists: --force overwrites it$/);
    expect(await readFile(join(cwd, 'plain.yaml'), 'utf8')).toBe('mine');
  });

  it('keeps its title and regions under --force', async () => {
    expect((await run(...GIVEN, '--out', 'plain.yaml', 'plain')).code).toBe(0);
    await writeFile(join(cwd, 'plain'), 'renewed.example\n');
    expect((await run('--out', 'plain.yaml', '--force', 'plain')).code).toBe(0);
    const text = await readFile(join(cwd, 'plain.yaml'), 'utf8');
    expect(text).toContain('title: Plain TV\nregions: [us, "no"]\n');
    expect(text).toContain('names:\n  - renewed.example\n');
  });

  it('is not overwritten with another service', async () => {
    await run(...GIVEN, '--out', 'plain.yaml', 'plain');
    const { code, err } = await run(...GIVEN, '--out', 'plain.yaml', '--force', 'patterns');
    expect(code).toBe(1);
    expect(err[0]).toMatch(/holds plain, not patterns$/);
  });
});
