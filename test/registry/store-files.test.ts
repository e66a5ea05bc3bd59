import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../src/registry/store/sqlite/open.ts';
import { entriesOf, newAccount, registration, sorted } from '../contract/store-support.ts';
import { openStore, temporaryDirectory } from './support.ts';

const PAGE_BYTES = 4096;

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

function contents(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory)
      .filter((name) => !name.startsWith('registry.lock'))
      .map((name) => [name, readFileSync(join(directory, name)).toString('base64')]),
  );
}

async function faultOf(dataDir: string): Promise<{ code: string; message: string }> {
  try {
    const store = await openStore(dataDir);
    await store.close();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('opened');
}

/** Undoes the upgrades from version 2 of the schema. */
const TO_VERSION_2 = `
  DROP TABLE service_day;
  DROP INDEX account_erasure; ALTER TABLE account DROP COLUMN erases_at;
  DROP INDEX account_activity; ALTER TABLE account DROP COLUMN active_at; ALTER TABLE account DROP COLUMN keep;
  DROP INDEX registration_lease; ALTER TABLE registration DROP COLUMN ends_at;
  CREATE INDEX registration_lease ON registration (expires_at);
  DROP TABLE private_name;
  DROP INDEX registration_prefix; ALTER TABLE registration DROP COLUMN evidence;
  CREATE INDEX registration_prefix ON registration (prefix, live, renewal);
  ALTER TABLE entry ADD COLUMN others INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE hostname DROP COLUMN barred; PRAGMA user_version = 2`;

describe('a file of an earlier release', () => {
  it('is upgraded with everything it holds', async () => {
    const dataDir = temporaryDirectory();
    const before = await openStore(dataDir);
    await before.createAccount(newAccount('a'));
    await before.register(registration('a', '198.51.99.7'));
    await before.close();
    const own = new DatabaseSync(join(dataDir, 'registry.db'));
    own.exec(
      `${TO_VERSION_2}; DROP TABLE pass; DROP TABLE update_token; DROP TABLE hostname; PRAGMA user_version = 1`,
    );
    own.close();

    for (const name of ['first.example', 'second.example']) {
      const store = await openStore(dataDir);
      const step = { accountId: 'a', id: name, hostname: name, nowMs: 0, limit: 9 };
      expect((await store.addHostname(step)).outcome).toBe('created');
      expect((await store.readAccount('a'))?.registrations).toHaveLength(1);
      await store.close();
    }
  });

  it('without evidence counts registrations as seen, and those of host names as told, but proved', async () => {
    const dataDir = temporaryDirectory();
    const before = await openStore(dataDir);
    await before.createAccount(newAccount('a'));
    await before.createAccount(newAccount('b', { region: 'gb' }));
    await before.register(registration('a', '198.51.99.7'));
    await before.register(registration('b', '198.51.99.7', { source: 'hostname', label: 'h' }));
    await before.register(registration('b', '198.51.99.8', { source: 'hostname', label: 'h' }));
    await before.close();
    const own = new DatabaseSync(join(dataDir, 'registry.db'));
    // The profile that the address had by the rule of that release: the latest renewal's.
    const gb = own.prepare("SELECT number FROM profile WHERE text LIKE '%gb%'").get()!['number'];
    own.exec(`${TO_VERSION_2}; UPDATE entry SET profile = ${gb}`);
    own.close();

    const store = await openStore(dataDir);
    const evidence = async (id: string) =>
      (await store.readAccount(id))!.registrations.map((held) => held.evidence);
    expect([await evidence('a'), await evidence('b')]).toEqual([['seen'], ['proved', 'proved']]);
    expect(sorted(entriesOf(await store.snapshot()))).toEqual([
      ['198.51.99.7/32', 'us 4'],
      ['198.51.99.8/32', 'gb 4'],
    ]);
    await store.deleteAccount('a');
    expect(sorted(entriesOf(await store.snapshot())).map(([, profile]) => profile)).toEqual(['gb 4', 'gb 4']);
    await store.close();
  });
});

describe('the data directory', () => {
  it('and its files are private to their owner', async () => {
    const dataDir = join(temporaryDirectory(), 'a', 'b');
    const store = await openStore(dataDir);
    await store.createAccount(newAccount('a'));
    expect(modeOf(dataDir)).toBe('700');
    const files = readdirSync(dataDir);
    expect(files).toContain('registry.db-wal');
    for (const file of files) expect(`${file} ${modeOf(join(dataDir, file))}`).toBe(`${file} 600`);
    await store.close();
    expect(readdirSync(dataDir).sort()).toEqual(['registry.db', 'registry.lock']);
  });

  it('keeps epoch, accounts and entries over a restart', async () => {
    const dataDir = temporaryDirectory();
    const first = await openStore(dataDir);
    await first.createAccount(newAccount('a'));
    await first.register(registration('a', '198.51.99.7'));
    const snapshot = await first.snapshot();
    await first.close();
    const second = await openSqliteStore({ dataDir, epoch: 'another', onFailed: () => {} });
    expect(second.epoch).toBe('epoch of the test');
    expect(await second.snapshot()).toEqual(snapshot);
    await second.close();
  });

  it('is used by one store at a time', async () => {
    const dataDir = temporaryDirectory();
    const store = await openStore(dataDir);
    const fault = await faultOf(dataDir);
    expect(fault).toMatchObject({ name: 'StoreLockedError', code: 'store_locked' });
    expect(fault.message).toBe(`${dataDir}: another process is using it`);
    await store.createAccount(newAccount('a'));
    await store.close();
    await (await openStore(dataDir)).close();
  });

  it('is unlocked when its process is killed', async () => {
    const dataDir = temporaryDirectory();
    const child = spawn(process.execPath, [new URL('./crash-child.ts', import.meta.url).pathname, dataDir]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    expect((await faultOf(dataDir)).code).toBe('store_locked');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await (await openStore(dataDir)).close();
  });

  it.each([
    ['below a file', () => '/etc/hostname/data'],
    ['where nothing can be made', () => '/proc/mediastreamer'],
    [
      'a file itself',
      () => {
        const path = join(temporaryDirectory(), 'file');
        writeFileSync(path, '');
        return path;
      },
    ],
  ])('says what it cannot use: %s', async (_what, path) => {
    const dataDir = path();
    const fault = await faultOf(dataDir);
    expect(fault).toMatchObject({ name: 'StoreUnavailableError', code: 'store_unavailable' });
    expect(fault.message).toMatch(new RegExp(`^${dataDir}: .*$`));
  });
});

describe('a damaged file', () => {
  let good: string;

  beforeAll(async () => {
    good = `${process.env['TMPDIR'] ?? '/tmp'}/registry-good-${process.pid}`;
    rmSync(good, { recursive: true, force: true });
    const store = await openStore(good);
    await store.createAccount(newAccount('a', { perAccount: 1_000 }));
    const steps = Array.from({ length: 500 }, (_, index) =>
      registration('a', `23.0.${index >> 8}.${index & 255}`),
    );
    await Promise.all(steps.map((step) => store.register(step)));
    await store.close();
  });
  afterAll(() => rmSync(good, { recursive: true, force: true }));

  function damage(change: (path: string) => void): string {
    const dataDir = join(temporaryDirectory(), 'data');
    cpSync(good, dataDir, { recursive: true });
    change(join(dataDir, 'registry.db'));
    return dataDir;
  }

  function overwrite(path: string, offset: number, bytes: Uint8Array): void {
    const file = readFileSync(path);
    file.set(bytes, offset);
    writeFileSync(path, file);
  }

  const noise = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 167 + 13) & 255);

  const cases: [string, string, (path: string) => void][] = [
    ['emptied', 'store_corrupt', (path) => truncateSync(path, 0)],
    ['cut in the header', 'store_corrupt', (path) => truncateSync(path, 50)],
    ['cut after a page', 'store_corrupt', (path) => truncateSync(path, PAGE_BYTES)],
    ['cut within a page', 'store_corrupt', (path) => truncateSync(path, 5 * PAGE_BYTES + 100)],
    ['cut at its last page', 'store_corrupt', (path) => truncateSync(path, statSync(path).size - PAGE_BYTES)],
    ['without its magic', 'store_corrupt', (path) => overwrite(path, 0, noise(16))],
    ['noise in the header', 'store_corrupt', (path) => overwrite(path, 16, noise(84))],
    ['noise in the schema', 'store_corrupt', (path) => overwrite(path, 100, noise(600))],
    ['a page of noise', 'store_corrupt', (path) => overwrite(path, 7 * PAGE_BYTES, noise(PAGE_BYTES))],
    [
      'a page of zeros',
      'store_corrupt',
      (path) => overwrite(path, 9 * PAGE_BYTES, new Uint8Array(PAGE_BYTES)),
    ],
    ['text', 'store_corrupt', (path) => writeFileSync(path, 'accounts:\n'.repeat(50))],
    [
      'another application',
      'store_corrupt',
      (path) => {
        rmSync(path);
        const other = new DatabaseSync(path);
        other.exec('CREATE TABLE account (id TEXT); PRAGMA application_id = 1; PRAGMA user_version = 1');
        other.close();
      },
    ],
    [
      'without a table',
      'store_corrupt',
      (path) => {
        const own = new DatabaseSync(path);
        own.exec('DROP TABLE state');
        own.close();
      },
    ],
    [
      'of a newer release',
      'store_version',
      (path) => {
        const own = new DatabaseSync(path);
        own.exec('PRAGMA user_version = 9');
        own.close();
      },
    ],
    [
      'missing beside its log',
      'store_corrupt',
      (path) => {
        rmSync(path);
        writeFileSync(`${path}-wal`, noise(5_000));
      },
    ],
  ];

  it.each(cases)('is told and left as it is: %s', async (_what, code, change) => {
    const dataDir = damage(change);
    const before = contents(dataDir);
    const fault = await faultOf(dataDir);
    expect(fault.code).toBe(code);
    expect(fault.message.split('\n')).toHaveLength(1);
    expect(fault.message).toContain(join(dataDir, 'registry.db'));
    const after = contents(dataDir);
    // Reading may leave an empty log and its index; it never changes other files.
    for (const name of Object.keys(before)) expect(after[name] === before[name], name).toBe(true);
    expect((await faultOf(dataDir)).code, 'the second time too').toBe(code);
  });

  it('opens when undamaged, whatever a killed creation left behind', async () => {
    const dataDir = damage((path) => writeFileSync(`${path}.new`, noise(100)));
    await (await openStore(dataDir)).close();
    const fresh = temporaryDirectory();
    mkdirSync(fresh, { recursive: true });
    writeFileSync(join(fresh, 'registry.db.new'), noise(100));
    await (await openStore(fresh)).close();
    expect(existsSync(join(fresh, 'registry.db.new'))).toBe(false);
  });
});

describe('the log', () => {
  it('is limited in number, whatever its age', async () => {
    const store = await openStore(temporaryDirectory(), { logLimit: 10 });
    await store.createAccount(newAccount('a', { perAccount: 100 }));
    for (let index = 0; index < 25; index++) await store.register(registration('a', `23.0.0.${index}`));
    expect(await store.changesSince({ seq: 14, limit: 99 })).toBe('gap');
    expect(await store.changesSince({ seq: 15, limit: 99 })).toHaveLength(10);
    await store.close();
  });
});
