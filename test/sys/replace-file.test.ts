import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from '../../src/sys/index.ts';

describe('replacing a file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'replace-'));
    path = join(folder, 'file');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives it the new content and the mode', () => {
    replaceFile(path, 'one');
    replaceFile(path, Buffer.from('two'));
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['two', 0o600]);
    replaceFile(path, 'three', { mode: 0o644, sync: false });
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['three', 0o644]);
  });

  it('goes on after a crash left a draft, and does not write through a link there', () => {
    const other = join(folder, 'other');
    writeFileSync(other, 'kept');
    symlinkSync(other, `${path}.new`);
    replaceFile(path, 'new');
    expect([readFileSync(path, 'utf8'), readFileSync(other, 'utf8')]).toEqual(['new', 'kept']);
  });

  it('leaves the old file, and no draft, when it fails', () => {
    mkdirSync(path);
    expect(() => replaceFile(path, 'new')).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect([statSync(path).isDirectory(), existsSync(`${path}.new`)]).toEqual([true, false]);
  });
});
