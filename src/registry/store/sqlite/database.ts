import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { leaseEnd } from '../../days.ts';
import { RegistryError, StoreUnavailableError } from '../../errors.ts';
import { checkPrivate, makeDirectory, makeFile, syncDirectory } from '../private-files.ts';
import { ChangeLog } from './change-log.ts';
import { Entries } from './entries.ts';
import { checkHeader, corrupt } from './header.ts';
import { takeLock } from './lock.ts';
import { SCHEMA, SCHEMA_VERSION, UPGRADES } from './schema.ts';
import { SqliteCode, sqliteCode } from './sqlite-error.ts';

/** Files up to this size are checked whole at the start, in less than a second. */
const WHOLE_CHECK_BYTES = 64 * 1024 * 1024;

export interface OpenedDatabase {
  path: string;
  database: DatabaseSync;
  close(): void;
}

/**
 * Opens or makes `dataDir`/registry.db, and locks the directory for this process.
 *
 * Before anything is written, the header, application, version and size of the file are checked, and all its pages
 * (PRAGMA quick_check) up to 64 MiB. Of a larger file only schema and state are read: the first step or snapshot that
 * reads a damaged page fails with StoreCorruptError. The snapshot at the start reads the whole allowlist.
 *
 * @param epoch of a new database
 * @throws StoreUnavailableError, StoreCorruptError, StoreVersionError, StoreLockedError
 */
export function openDatabase(dataDir: string, epoch: string): OpenedDatabase {
  const path = join(dataDir, 'registry.db');
  let unlock: (() => void) | null = null;
  try {
    makeDirectory(dataDir);
    for (const name of ['registry.db', 'registry.db-wal']) checkPrivate(join(dataDir, name));
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
    throw openError(error, dataDir);
  }
}

/** Opens a read-only connection beside the writing one. A transaction of it sees one moment of the database. */
export function connectReader(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 0 });
  database.exec('PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY');
  return database;
}

function check(path: string, logBytes: number): void {
  const size = checkHeader(path, logBytes);
  // Read-only: closing it after a finding must not checkpoint the log into the file.
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

/** A statement about a missing table or column fails with SQLITE_ERROR (1). */
function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SqliteCode.CORRUPT || code === SqliteCode.NOTADB || code === 1;
}

/** Makes the file under another name and renames it when complete: an empty or partial registry.db is always damage. */
function create(dataDir: string, path: string, epoch: string): void {
  const draft = `${path}.new`;
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true });
  makeFile(draft);
  const database = new DatabaseSync(draft);
  try {
    database.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    defineFunctions(database, epoch);
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
    // With a write-ahead log, FULL syncs at every commit.
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

/** Upgrades the schema in one transaction. */
function upgrade(database: DatabaseSync): void {
  const version = Number(database.prepare('PRAGMA user_version').get()!['user_version']);
  if (version === SCHEMA_VERSION) return;
  defineFunctions(database, String(database.prepare('SELECT epoch FROM state').get()!['epoch']));
  database.exec('BEGIN IMMEDIATE');
  for (const step of UPGRADES.slice(version)) database.exec(step!);
  settleShared(database);
  // What the upgrade overwrote leaves the write-ahead log too.
  database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`);
}

/** Defines the functions that SCHEMA and UPGRADES call. */
function defineFunctions(database: DatabaseSync, epoch: string): void {
  database.function('lease_end', (day, id) => leaseEnd(Number(day), epoch, String(id)));
}

/** Version 3 gave addresses with several holders the profile of one of them, without a union of families. */
function settleShared(database: DatabaseSync): void {
  const entries = new Entries(database);
  const shared = database.prepare('SELECT prefix FROM entry WHERE holders > 1').all();
  for (const row of shared) entries.touch(row['prefix'] as Uint8Array);
  new ChangeLog(database, Number.MAX_SAFE_INTEGER).append(entries.settle());
}

function openError(error: unknown, dataDir: string): RegistryError {
  if (error instanceof RegistryError) return error;
  const code = sqliteCode(error);
  if (code !== null) return new StoreUnavailableError(`${dataDir}: cannot be used (SQLite code ${code})`);
  const system = (error as { code?: unknown } | null)?.code;
  return new StoreUnavailableError(
    `${dataDir}: cannot be written (${typeof system === 'string' ? system : 'unknown'})`,
  );
}
