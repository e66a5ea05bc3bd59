import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatFinding, readServiceFiles } from '../../src/catalog/index.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'catalog-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('reads what the patterns match, once and sorted', async () => {
  await writeFile(join(directory, 'b.yaml'), 'b');
  await writeFile(join(directory, 'a.yaml'), 'a');
  await writeFile(join(directory, 'LICENSE'), 'c');
  const found = await readServiceFiles({ patterns: ['*.yaml', 'a.yaml'], directory, configFile: 'c.yaml' });
  expect(found.findings).toEqual([]);
  expect(found.files.map((file) => file.text)).toEqual(['a', 'b']);
});

it('reports a pattern without a match and an unreadable file', async () => {
  await mkdir(join(directory, 'folder.yaml'));
  const patterns = ['folder.yaml', 'none/*.yaml'];
  const { findings } = await readServiceFiles({ patterns, directory, configFile: 'c.yaml' });
  expect(findings.map(formatFinding)).toEqual([
    expect.stringMatching(
      /^c\.yaml: catalog\.services\[1\]: found "none\/\*\.yaml", which names no file, exp/,
    ),
    expect.stringMatching(/folder\.yaml: found EISDIR, expected a file that can be read$/),
  ]);
});
