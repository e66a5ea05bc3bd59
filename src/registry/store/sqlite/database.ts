import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RegistryError, StoreUnavailableError } from '../../errors.ts';
import { SqliteCode, sqliteCode } from './fault.ts';
import { checkHeader, corrupt } from './header.ts';
import { takeLock } from './lock.ts';
import { makeDirectory, makeFile, syncDirectory } from './make-file.ts';
import { SCHEMA, SCHEMA_VERSION, UPGRADES } from './schema.ts';

/** Up to this size the whole file is checked at the start, which takes less than a second. */
const WHOLE_CHECK_BYTES = 64 * 1024 * 1024;

export interface OpenedDatabase {
  path: string;
  database: DatabaseSync;
  close(): void;
}

/**
 * Opens `dataDir`/registry.db, making both where they are not, and takes the directory for this process.
 *
 * Before anything is written the file's header, application, version and size are checked, and the structure of all
 * its pages (PRAGMA quick_check) up to 64 MiB. A greater file is read in its schema and state only: damage
 * further in is met, as StoreCorrupt, by the first step or the snapshot that reads it; the snapshot at the start reads
 * the whole allowlist.
 *
 * @param epoch given to a database that is made now.
 * @throws StoreUnavailable, StoreCorrupt, StoreVersion, StoreLocked
 */
export function openDatabase(dataDir: string, epoch: string): OpenedDatabase {
  const path = join(dataDir, 'registry.db');
  let unlock: (() => void) | null = null;
  try {
    makeDirectory(dataDir);
    unlock = takeLock(join(dataDir, 'registry.lock'), dataDir);
    const logBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (existsSync(path)) check(path, logBytes);
    else if (logBytes > 0) throw corrupt(path, 'is missing, and its write-ahead log is there');
    else create(dataDir, path, epoch);
    const database = connect(path);
    const release = unlock;
    return {
      path,
      database,
      close() {
        database.close();
        release();
      },
    };
  } catch (error) {
    unlock?.();
    throw openFault(error, dataDir);
  }
}

/** A connection for reading beside the one that writes: it sees the database as it was when it began to read. */
export function connectReader(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  database.exec('PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY');
  return database;
}

function check(path: string, logBytes: number): void {
  const size = checkHeader(path, logBytes);
  // Read-only: closing it after a finding must not move the log into the file.
  let database: DatabaseSync | null = null;
  try {
    database = connectReader(path);
    if (size <= WHOLE_CHECK_BYTES) {
      const finding = database.prepare('PRAGMA quick_check(1)').get();
      if (finding?.['quick_check'] !== 'ok') throw corrupt(path, 'found damaged pages');
    }
    const state = database.prepare('SELECT epoch, seq, trimmed FROM state WHERE id = 1').get();
    if (state === undefined) throw corrupt(path, 'found no epoch');
  } catch (error) {
    if (isDamage(error)) throw corrupt(path, 'found damaged pages or missing tables');
    throw error;
  } finally {
    database?.close();
  }
}

/** SQLITE_ERROR (1) is what a statement about a missing table or column gives. */
function isDamage(fault: unknown): boolean {
  const code = sqliteCode(fault);
  return code === SqliteCode.CORRUPT || code === SqliteCode.NOTADB || code === 1;
}

/** Made beside and renamed when complete, so that an empty or half-made registry.db is always damage. */
function create(dataDir: string, path: string, epoch: string): void {
  const draft = `${path}.new`;
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true });
  makeFile(draft);
  const database = new DatabaseSync(draft);
  try {
    database.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    database.exec(SCHEMA);
    database
      .prepare('INSERT INTO state (id, epoch, seq, trimmed, renewal) VALUES (1, ?, 0, 0, 0)')
      .run(epoch);
    database.exec('COMMIT');
  } finally {
    database.close();
  }
  renameSync(draft, path);
  syncDirectory(dataDir);
}

function connect(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 1_000 });
  try {
    // FULL: with a write-ahead log it is what syncs at every commit.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA secure_delete = ON;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -4096;
    `);
    upgrade(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** In one transaction: a file is of one version or of the other. */
function upgrade(database: DatabaseSync): void {
  const version = Number(database.prepare('PRAGMA user_version').get()!['user_version']);
  if (version === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  for (const step of UPGRADES.slice(version)) database.exec(step!);
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
}

function openFault(fault: unknown, dataDir: string): RegistryError {
  if (fault instanceof RegistryError) return fault;
  const code = sqliteCode(fault);
  if (code !== null) return new StoreUnavailableError(`${dataDir}: cannot be used (SQLite code ${code})`);
  const system = (fault as { code?: unknown } | null)?.code;
  return new StoreUnavailableError(
    `${dataDir}: cannot be written (${typeof system === 'string' ? system : 'unknown'})`,
  );
}
