/** Data that 0.1.0 wrote (upgrade-data/README.md), in both stores, served by this release. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Api } from '../support/api.ts';
import { askUdp, shown } from '../support/dns-client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { FILMS, RELAY, RunningService, temporaryFolder, until, writeConfig } from '../support/service.ts';

const DATA = join(import.meta.dirname, 'upgrade-data');
const HOME = '127.0.0.9';
const NEW_HOME = '127.0.0.10';

interface Written {
  readonly account: string;
  readonly secret: string;
  readonly token: string;
  readonly adminKey: string;
}
interface WrittenToRedis extends Written {
  readonly keys: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
}

const read = <T>(name: string): T => JSON.parse(readFileSync(join(DATA, name), 'utf8'));

/** Folder with a configuration and the files that 0.1.0 left in dataDir. */
function prepare(store: string, files: Readonly<Record<string, Uint8Array>>): string {
  const folder = temporaryFolder();
  writeConfig(folder, { store });
  const dataDir = join(folder, 'var');
  mkdirSync(dataDir, { mode: 0o700 });
  for (const [name, bytes] of Object.entries(files))
    writeFileSync(join(dataDir, name), bytes, { mode: 0o600 });
  return folder;
}

/** Checks that everything written before is there, and that all of it can be changed. */
async function checkService(service: RunningService, written: Written): Promise<void> {
  const ask = async (from: string) => shown(await askUdp(service.udp, from, { name: FILMS }));
  await until(async () => (await ask(HOME)) === `NOERROR ${RELAY.gb.address}`, 'the home gets its region');
  expect(await ask(NEW_HOME)).toBe('REFUSED');

  const account = new Api(service.controlUrl, { key: written.secret, from: NEW_HOME });
  expect((await account.call('GET', '/v1/account')).body).toMatchObject({
    id: written.account,
    region: 'gb',
  });
  expect((await account.call('GET', '/v1/registrations')).text).toContain(`"address":"${HOME}"`);
  expect((await account.call('GET', '/v1/hostnames')).text).toContain('"hostname":"home.example"');
  expect(service.adminKey).toBe(written.adminKey);
  expect((await service.admin.call('GET', `/v1/accounts/${written.account}`)).status).toBe(200);

  const router = Buffer.from(`${written.account}:${written.token}`).toString('base64');
  const update = await account.call('GET', '/nic/update?hostname=router', undefined, {
    authorization: `Basic ${router}`,
    'user-agent': 'router/1.0',
  });
  expect(update.text).toMatch(/^(good|nochg) 127\.0\.0\.10/);
  await until(
    async () => (await ask(NEW_HOME)) === `NOERROR ${RELAY.gb.address}`,
    'the new address is served',
  );
  expect((await account.call('PATCH', '/v1/account', { region: 'us' })).status).toBe(200);
  await until(async () => (await ask(NEW_HOME)) === `NOERROR ${RELAY.us.address}`, 'the region has changed');
  expect((await account.call('DELETE', '/v1/account')).status).toBe(204);
  await until(async () => (await ask(NEW_HOME)) === 'REFUSED', 'the account is gone');
  expect(await ask(HOME)).toBe('REFUSED');
}

describe('data of 0.1.0', () => {
  it('in the embedded store is served and changed, also after another start', async () => {
    const written = read<Written>('embedded.json');
    const folder = prepare('embedded', {
      'registry.db': gunzipSync(readFileSync(join(DATA, 'registry.db.gz'))),
      'admin.key': Buffer.from(`${written.adminKey}\n`),
    });
    await (await RunningService.start({ folder })).stop();
    const service = await RunningService.start({ folder });
    await checkService(service, written);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it('in Redis is followed without adopt, and changed', async () => {
    const written = read<WrittenToRedis>('redis.json');
    const redis = await RedisServer.start();
    const client = redis.client();
    for (const [key, dump] of Object.entries(written.keys)) {
      await client.restore(key, 0, Buffer.from(dump, 'base64'));
    }
    client.disconnect();
    const files = Object.entries(written.files).map(([name, text]) => [name, Buffer.from(text, 'base64')]);
    const adminKey = Buffer.from(`${written.adminKey}\n`);
    const folder = prepare(redis.url, { ...Object.fromEntries(files), 'admin.key': adminKey });
    const service = await RunningService.start({ folder });
    await checkService(service, written);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    await redis.stop();
  });
});
