import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StoreCorruptError, StoreVersionError } from '../../errors.ts';
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.ts';

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';

/**
 * Checks the first 100 bytes of a database (sqlite.org/fileformat2.html, 1.3) before SQLite, which may write, opens it.
 *
 * @param logBytes size of the write-ahead log; the file must be complete only without one
 * @returns the file's size in bytes
 * @throws StoreCorruptError, StoreVersionError
 */
export function checkHeader(path: string, logBytes: number): number {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  let size: number;
  let read: number;
  try {
    size = fstatSync(file).size;
    read = readSync(file, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  if (read < HEADER_BYTES) throw corrupt(path, `found ${size} bytes, expected a SQLite database`);
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw corrupt(path, 'found another kind of file, expected a SQLite database');
  }
  if (header.readUInt32BE(68) !== APPLICATION_ID) {
    throw corrupt(path, 'found a database of another application');
  }
  const version = header.readUInt32BE(60);
  if (version > SCHEMA_VERSION) {
    throw new StoreVersionError(
      `${path}: found format version ${version}, expected at most ${SCHEMA_VERSION}: written by a newer release`,
    );
  }
  if (version < 1) throw corrupt(path, 'found no format version');
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const expected = header.readUInt32BE(28) * pageBytes;
  if (logBytes === 0 && size < expected) throw corrupt(path, `found ${size} bytes, expected ${expected}`);
  return size;
}

export function corrupt(path: string, what: string): StoreCorruptError {
  return new StoreCorruptError(`${path}: ${what}; it was not changed`);
}
