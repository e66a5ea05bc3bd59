import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/index.ts';
import { FileNotPrivateError } from '../../sys/index.ts';
import { readPrivateText } from '../private-text.ts';

/** Keys with which the operator calls the API. */
export interface OperatorKeys {
  /** SHA-256 digests, one at least. */
  readonly digests: readonly Uint8Array[];
  /** Null if control.keys alone has keys. */
  readonly adminKey: AdminKey | null;
}

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

const DIGEST = /^sha256:([\da-f]{64})$/i;

/**
 * Returns control.adminKey and control.keys. Without either, the key is in dataDir/admin.key: the file is created (mode
 * 0600, 192 random bits) if it is missing, and never overwritten.
 * @throws AdminKeyError, FileNotPrivateError
 */
export function readOperatorKeys({ control, dataDir }: Config): OperatorKeys {
  const { adminKey: configured, keys } = control;
  const isInFile = configured === '' && keys.length === 0;
  const adminKey = isInFile ? readAdminKeyFile(dataDir) : inConfiguration(configured);
  const digests = keys.map(({ key }) => digestOf(key));
  if (adminKey !== null) digests.push(sha256(adminKey.key));
  return { digests, adminKey };
}

function inConfiguration(key: string): AdminKey | null {
  return key === '' ? null : { key, file: null, isNew: false };
}

function readAdminKeyFile(dataDir: string): AdminKey {
  const file = join(dataDir, 'admin.key');
  return { ...readKeyFile(file, dataDir), file };
}

function digestOf(key: string): Uint8Array {
  const [, hex] = DIGEST.exec(key) ?? [];
  return hex === undefined ? sha256(key) : Buffer.from(hex, 'hex');
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
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
