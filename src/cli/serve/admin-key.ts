import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface AdminKey {
  readonly key: string;
  /** The file that holds it, or null where the configuration gives it. */
  readonly file: string | null;
  /** Whether it was made just now. */
  readonly made: boolean;
}

/** The admin key's file cannot be read or made, or holds no key. */
export class AdminKeyError extends Error {
  readonly code = 'ADMIN_KEY';
  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
    this.name = 'AdminKeyError';
  }
}

const KEY_BYTES = 24;
const LEAST_LENGTH = 16;

/**
 * The admin key: the configured one, else the one in dataDir/admin.key, which is made (mode 0600, 192 random
 * bits) where it is missing. An existing file is never written over.
 * @throws AdminKeyError
 */
export function readAdminKey(configured: string, dataDir: string): AdminKey {
  if (configured !== '') return { key: configured, file: null, made: false };
  const file = join(dataDir, 'admin.key');
  try {
    const made = makeKey(file, dataDir);
    const key = readFileSync(file, 'utf8').trim();
    if (key.length < LEAST_LENGTH || /\s/.test(key)) {
      throw new AdminKeyError(file, `found no key in it, expected one of ${LEAST_LENGTH} or more characters`);
    }
    return { key, file, made };
  } catch (error) {
    if (error instanceof AdminKeyError) throw error;
    throw new AdminKeyError(file, `cannot be read or made: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Written aside and linked into place, so that the file is whole or not there. @returns false where it was. */
function makeKey(file: string, dataDir: string): boolean {
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
