import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertPrivate, FileNotPrivateError } from '../../sys/index.ts';
import { StoreUnavailableError } from '../errors.ts';

/** Makes an empty file of mode 0600 unless it exists. SQLite gives its journal files the mode of the database. */
export function makeFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
}

/**
 * Makes a directory of mode 0700, with its parents, unless it exists. mkdirSync's own `recursive` never returns where
 * a file system keeps answering ENOENT (below /proc).
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || existsSync(parent)) throw error;
    makeDirectory(parent);
    mkdirSync(path, 0o700);
  }
}

/** Makes a new name in a directory durable. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Refuses a file that another user owns or may write. @throws StoreUnavailableError */
export function checkPrivate(path: string): void {
  if (!existsSync(path)) return;
  const file = openSync(path, 'r');
  try {
    assertPrivate(file, path);
  } catch (error) {
    if (error instanceof FileNotPrivateError) throw new StoreUnavailableError(error.message);
    throw error;
  } finally {
    closeSync(file);
  }
}
