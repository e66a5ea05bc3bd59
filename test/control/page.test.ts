import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../src/net/index.ts';
import { ControlBench, HOME } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

const DAY_MS = 86_400_000;
const PAGE_FOLDER = join(import.meta.dirname, '../../src/control/page');

let disk: DiskRegistry;
let bench: ControlBench;
let account: { id: string; secret: string };
beforeAll(async () => {
  disk = await openDiskRegistry();
});
afterAll(() => disk.close());
beforeEach(async () => {
  bench = await ControlBench.make(
    {
      registry: disk.registry,
      familyUrls: { ipv4: 'https://v4.dns.example.net', ipv6: null },
      dnsAddresses: ['192.0.2.53', '192.0.2.54'],
      testZone: 'check.example.net',
    },
    disk.clock,
  );
  account = await bench.account();
});

const page = async (from = HOME) =>
  (await bench.call('GET', '/v1/page', { key: account.secret, from })).json();

describe('GET /v1/page', () => {
  test('returns everything that the page shows', async () => {
    const registration = (
      await bench.call('POST', '/v1/registrations', { key: account.secret, body: { label: 'Den' } })
    ).json();
    const body = { hostname: 'home.example.org' };
    const hostname = (await bench.call('POST', '/v1/hostnames', { key: account.secret, body })).json();
    expect(await page()).toEqual({
      account: (await bench.call('GET', '/v1/account', { key: account.secret })).json(),
      regions: [
        { id: 'us', title: 'United States' },
        { id: 'gb', title: 'United Kingdom' },
      ],
      services: [
        { id: 'netflix', title: 'Netflix', regions: ['us', 'gb'] },
        { id: 'hulu', title: 'Hulu', regions: ['us'] },
      ],
      catalogVersion: '12',
      caller: {
        address: HOME,
        family: 4,
        scope: 'public',
        registrable: true,
        registrationId: registration.id,
      },
      registrations: [registration],
      updateTokens: [],
      hostnames: [hostname],
      privateNames: [],
      privateNamesDomain: null,
      dnsAddresses: ['192.0.2.53', '192.0.2.54'],
      familyUrls: { ipv4: 'https://v4.dns.example.net', ipv6: null },
      testZone: 'check.example.net',
      relayTest: false,
    });
  });

  test.each([
    ['2a00:1450:1:2::9', 6, 'public', true],
    ['192.168.1.7', 4, 'private', false],
    ['100.64.3.4', 4, 'shared', false],
  ])('tells whether %s can be registered', async (from, family, scope, registrable) => {
    expect((await page(from)).caller).toEqual({
      address: from,
      family,
      scope,
      registrable,
      registrationId: null,
    });
  });

  test('recognizes an IPv6 home by its /64', async () => {
    const { id } = (
      await bench.call('POST', '/v1/registrations', { key: account.secret, from: '2a00:1450:1:2::9' })
    ).json();
    expect((await page('2a00:1450:1:2:ffff::1')).caller.registrationId).toBe(id);
  });

  test("renews the lease of the caller's address only, once a day", async () => {
    await bench.call('POST', '/v1/registrations', { key: account.secret });
    await bench.call('POST', '/v1/registrations', { key: account.secret, from: '198.51.99.8' });
    const ends = async () =>
      (await page()).registrations.map(({ expiresAt }: { expiresAt: string }) => Date.parse(expiresAt));
    const start = disk.clock.nowMs;
    disk.clock.nowMs += DAY_MS - 1;
    expect(await ends()).toEqual([start + 90 * DAY_MS, start + 90 * DAY_MS]);
    disk.clock.nowMs += 1;
    expect(await ends()).toEqual([start + 91 * DAY_MS, start + 90 * DAY_MS]);
    const { registrations } = await page();
    expect(registrations.map(({ label, source }: Record<string, string>) => [label, source])).toEqual([
      [null, 'api'],
      [null, 'api'],
    ]);
  });
});

describe('host names', () => {
  const add = (hostname: string) =>
    bench.call('POST', '/v1/hostnames', { key: account.secret, body: { hostname } });

  test('are added once, listed and removed', async () => {
    const first = await add('Home.Example.org.');
    expect(first.statusCode).toBe(201);
    expect(first.headers['location']).toBe(`/v1/hostnames/${first.json().id}`);
    expect(first.json()).toMatchObject({ hostname: 'home.example.org', state: 'followed' });
    expect((await add('home.example.org')).statusCode).toBe(200);
    const path = `/v1/hostnames/${first.json().id}`;
    expect((await bench.call('DELETE', path, { key: (await bench.account()).secret })).statusCode).toBe(404);
    expect((await bench.call('DELETE', path, { key: account.secret })).statusCode).toBe(204);
    expect((await bench.call('GET', '/v1/hostnames', { key: account.secret })).json()).toEqual({
      hostnames: [],
    });
  });

  test('must point at the caller, by either family, IPv6 by its /64', async () => {
    const codes = async (...addresses: string[]) => {
      bench.namesPointAt = addresses.map((address) => parseAddress(address)!);
      const reply = await add(
        `n${addresses.length}${addresses[0] ?? ''}.example`.replaceAll(/[.:](?!example)/g, '-'),
      );
      return [reply.statusCode, reply.json().code];
    };
    expect(await codes('198.51.99.8')).toEqual([422, 'hostname_not_yours']);
    expect(await codes()).toEqual([422, 'hostname_not_yours']);
    expect((await bench.call('GET', '/v1/hostnames', { key: account.secret })).json().hostnames).toEqual([]);
    expect(await codes('198.51.99.8', HOME, '2a00:0:0:1::9')).toEqual([201, undefined]);
    const from = '2a00:0:0:1::5';
    bench.namesPointAt = [parseAddress('2a00:0:0:1::9')!];
    const body = { hostname: 'six.example' };
    expect((await bench.call('POST', '/v1/hostnames', { key: account.secret, body, from })).statusCode).toBe(
      201,
    );
    const { registrations } = (await bench.call('GET', '/v1/registrations', { key: account.secret })).json();
    expect(
      registrations.map(({ address, evidence }: Record<string, string>) => `${address} ${evidence}`),
    ).toEqual(['198.51.99.8 told', `${HOME} seen`, '2a00:0:0:1::/64 seen']);
  });

  test('that are followed already answer 200 wherever they point now', async () => {
    await add('home.example.org');
    bench.namesPointAt = [parseAddress('198.51.99.8')!];
    expect((await add('home.example.org')).statusCode).toBe(200);
  });

  test.each([
    'den',
    'a b.example',
    '198.51.100.7',
    '-a.example',
    'x.123',
    'a..b',
    `${'a'.repeat(64)}.example`,
    '*.example',
  ])('%s is rejected', async (text) => {
    const reply = await add(text);
    expect([reply.statusCode, reply.json().errors[0].field]).toEqual([400, 'hostname']);
    expect(reply.body).not.toContain(text);
  });

  test('are limited in number', async () => {
    for (let index = 0; index < 5; index += 1) expect((await add(`h${index}.example`)).statusCode).toBe(201);
    const reply = await add('h5.example');
    expect([reply.statusCode, reply.json().code]).toEqual([409, 'too_many_hostnames']);
  });
});

describe("the page's files", () => {
  const files = readdirSync(PAGE_FOLDER).filter((name) => /\.(js|svg|png|ico)$/.test(name));

  test('are served with their type, and 304 while unchanged', async () => {
    expect(files.length).toBeGreaterThan(3);
    for (const name of files) {
      const reply = await bench.call('GET', `/page/${name}`);
      expect([name, reply.statusCode]).toEqual([name, 200]);
      expect(reply.rawPayload.equals(readFileSync(join(PAGE_FOLDER, name)))).toBe(true);
      expect(reply.headers).toMatchObject({ 'cache-control': 'no-cache', vary: 'Accept-Encoding' });
      const again = await bench.call('GET', `/page/${name}`, {
        headers: { 'if-none-match': String(reply.headers['etag']) },
      });
      expect([again.statusCode, again.body]).toEqual([304, '']);
    }
  });

  test('are compressed for browsers that say so, with a tag of their own', async () => {
    const plain = await bench.call('GET', '/page/main.js');
    const packed = await bench.call('GET', '/page/main.js', { headers: { 'accept-encoding': 'br, gzip' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.rawPayload).equals(plain.rawPayload)).toBe(true);
    expect(packed.headers['etag']).not.toBe(plain.headers['etag']);
    const refused = await bench.call('GET', '/page/main.js', { headers: { 'accept-encoding': 'gzip;q=0' } });
    expect(refused.headers['content-encoding']).toBeUndefined();
  });

  test('have one style sheet, of every sheet there is', async () => {
    const { body, headers } = await bench.call('GET', '/page/styles.css');
    expect(headers['content-type']).toBe('text/css; charset=utf-8');
    for (const name of readdirSync(join(PAGE_FOLDER, 'styles'))) {
      expect(body).toContain(readFileSync(join(PAGE_FOLDER, 'styles', name), 'utf8'));
    }
  });

  test.each([
    'types.d.ts',
    'tsconfig.json',
    '..%2fapp.ts',
    '%2e%2e%2fapp.ts',
    '.env',
    'nothing.js',
    'index.html%00',
    'a/b.js',
    'index.html',
    'messages/en.json',
    'messages/xx.js',
    'styles/base.css',
  ])('%s is not served', async (name) => {
    expect((await bench.call('GET', `/page/${name}`)).statusCode).toBe(404);
  });

  test.each(['/', '/sign-in'])('%s sets no cookie and loads nothing from elsewhere', async (url) => {
    const reply = await bench.call('GET', url);
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply.headers['set-cookie']).toBeUndefined();
    expect(reply.headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; " +
        "img-src 'self' https://*.reached.check.example.net https://*.registered.check.example.net " +
        'https://*.relayed.check.example.net; ' +
        "connect-src 'self' https://v4.dns.example.net https://*.reached.check.example.net " +
        'https://*.registered.check.example.net https://*.relayed.check.example.net; ' +
        "manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    );
  });
});

describe("the self-test's names", () => {
  test.each([
    'x1.reached.check.example.net',
    'X2.Registered.check.example.net:8080',
    'a.b.reached.check.example.net',
  ])('%s serves the picture to any page', async (host) => {
    const reply = await bench.call('GET', '/probe.svg', {
      headers: { host, origin: 'https://dns.example.net' },
    });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'no-store',
    });
  });

  test('serve nothing else', async () => {
    const headers = { host: 'x.reached.check.example.net' };
    for (const url of ['/', '/v1/ip', '/v1/page', '/openapi.json', '/nic/checkip', '/nothing']) {
      expect((await bench.call('GET', url, { headers, key: account.secret })).statusCode).toBe(421);
    }
    const signing = await bench.call('POST', '/v1/session', { headers, body: { secret: account.secret } });
    expect(signing.statusCode).toBe(421);
  });

  test.each([
    'check.example.net',
    'reached.check.example.net',
    'x.check.example.net',
    'xreached.check.example.net',
  ])('%s is not a name of the self-test', async (host) => {
    expect((await bench.call('GET', '/probe.svg', { headers: { host } })).statusCode).toBe(421);
  });
});
