import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes an empty file that only its owner may read, where there is none. SQLite gives the files that it makes beside a
 * database that database's own mode.
 */
export function makeFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
}

/**
 * Makes a directory that only its owner may use, and those above it, where there are none. mkdirSync's own `recursive`
 * never returns where a file system answers ENOENT for good (below /proc).
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
