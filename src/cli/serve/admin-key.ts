import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FileNotPrivateError } from '../../sys/index.ts';
import { readPrivateText } from '../private-text.ts';

export interface AdminKey {
  readonly key: string;
  /** File that holds the key; null if the configuration does. */
  readonly file: string | null;
  /** True if this start generated it. */
  readonly isNew: boolean;
}

/** The file of a key is not readable, cannot be created, or holds no key. */
export class AdminKeyError extends Error {
  readonly code = 'admin_key_unusable';
  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
    this.name = 'AdminKeyError';
  }
}

const KEY_BYTES = 24;
const MIN_LENGTH = 16;

/**
 * Returns the configured admin key, else the one in dataDir/admin.key. Creates the file (mode 0600, 192 random bits) if
 * it is missing; never overwrites it.
 * @throws AdminKeyError, FileNotPrivateError
 */
export function readAdminKey(configured: string, dataDir: string): AdminKey {
  if (configured !== '') return { key: configured, file: null, isNew: false };
  const file = join(dataDir, 'admin.key');
  return { ...readKeyFile(file, dataDir), file };
}

/** Returns the key in a file of dataDir, made if it is missing. @throws AdminKeyError, FileNotPrivateError */
export function readKeyFile(file: string, dataDir: string): { key: string; isNew: boolean } {
  try {
    const isNew = createKey(file, dataDir);
    const key = readPrivateText(file).trim();
    if (key.length < MIN_LENGTH || /\s/.test(key)) {
      throw new AdminKeyError(file, `found no key in it, expected one of ${MIN_LENGTH} or more characters`);
    }
    return { key, isNew };
  } catch (error) {
    if (error instanceof AdminKeyError || error instanceof FileNotPrivateError) throw error;
    throw new AdminKeyError(file, `cannot be read or created: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Writes aside and links into place, so that the file is never partial. @returns false if it existed */
function createKey(file: string, dataDir: string): boolean {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}`;
  const descriptor = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(descriptor, `${randomBytes(KEY_BYTES).toString('base64url')}\n`);
    fsyncSync(descriptor);
    linkSync(temporary, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    closeSync(descriptor);
    unlinkSync(temporary);
  }
}
