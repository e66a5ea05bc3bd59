import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PositionFile } from '../../src/registry/store/position-file.ts';
import { temporaryDirectory } from './support.ts';

it('keeps a position over a restart, in a file of mode 0600', () => {
  const dataDir = temporaryDirectory();
  const file = new PositionFile(dataDir);
  expect(file.known).toBeNull();
  file.keep({ epoch: 'e', seq: 7 });
  file.keep({ epoch: 'e', seq: 9 });
  expect(new PositionFile(dataDir).known).toEqual({ epoch: 'e', seq: 9 });
  expect(statSync(join(dataDir, 'registry.epoch')).mode & 0o777).toBe(0o600);
});

it.each([
  '',
  '{',
  '{"version":2,"epoch":"e","seq":1}',
  '{"version":1,"epoch":"","seq":1}',
  '{"version":1,"epoch":"e"}',
])('does not guess at a damaged file: %s', (text) => {
  const dataDir = temporaryDirectory();
  const path = join(dataDir, 'registry.epoch');
  writeFileSync(path, text);
  expect(() => new PositionFile(dataDir)).toThrow(/registry\.epoch/);
  expect(readFileSync(path, 'utf8')).toBe(text);
});
