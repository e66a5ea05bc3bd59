import { closeSync, fsyncSync, openSync } from 'node:fs';

/**
 * Makes an empty file that only its owner may read, where there is none. SQLite gives the files that it makes beside a
 * database that database's own mode.
 */
export function makeFile(path: string): void {
  closeSync(openSync(path, 'a', 0o600));
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
