import { join } from 'node:path';
import { readKeyFile } from './admin-key.ts';

/**
 * Returns the configured key of private names, else the one in dataDir/private-names.key, which is made (mode 0600) if it
 * is missing. With another key all names end: the store has hashes that are keyed by it.
 * @throws AdminKeyError, FileNotPrivateError
 */
export function readPrivateNameKey(configured: string, dataDir: string): Uint8Array {
  const key = configured !== '' ? configured : readKeyFile(join(dataDir, 'private-names.key'), dataDir).key;
  return Buffer.from(key);
}
