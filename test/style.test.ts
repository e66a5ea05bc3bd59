import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkStyle } from './support/style/check.ts';

it('the style holds: plain English, one dialect of names', () => {
  const folders = ['src', 'test', 'bench', 'config', 'README.md'];
  expect(checkStyle(join(import.meta.dirname, '..'), folders)).toEqual([]);
});
