import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench, HOME } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

const ORIGIN = 'https://dns.example.net';
const DAY_MS = 86_400_000;

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
      familyUrls: { ipv4: 'https://v4.dns.example.net', ipv6: 'https://v6.dns.example.net' },
    },
    disk.clock,
  );
  account = await bench.account();
});

const signIn = (body: object, headers: Record<string, string> = {}) =>
  bench.call('POST', '/v1/session', { body, headers });

/** Signs in and returns the cookie as a browser sends it. */
async function session(): Promise<string> {
  const reply = await signIn({ secret: account.secret });
  expect(reply.statusCode).toBe(204);
  return cookieOf(reply.headers['set-cookie']);
}

function cookieOf(header: string | string[] | number | undefined): string {
  return String(header).split(';')[0]!;
}

/** Makes a call as our page does. */
const fromPage = (cookie: string) => ({ cookie, origin: ORIGIN, 'sec-fetch-site': 'same-origin' });

async function link(): Promise<string> {
  const reply = await bench.call('POST', `/v1/accounts/${account.id}/sign-in-links`, { key: ADMIN_KEY });
  expect(reply.statusCode).toBe(201);
  return reply.json().url;
}

describe('a session', () => {
  test('is a cookie for https only, hidden from scripts and not sent for other sites', async () => {
    const reply = await signIn({ secret: account.secret });
    expect([reply.statusCode, reply.body]).toEqual([204, '']);
    expect(reply.headers['set-cookie']).toMatch(
      /^__Host-ms_session=mss_\w{32}; Path=\/; HttpOnly; SameSite=Strict; Secure; Max-Age=2592000$/,
    );
    bench = await ControlBench.make(
      { registry: disk.registry, publicUrl: 'http://dns.example.net' },
      disk.clock,
    );
    expect(String((await signIn({ secret: account.secret })).headers['set-cookie'])).not.toContain('Secure');
  });

  test('authenticates all calls of an account', async () => {
    const headers = fromPage(await session());
    expect((await bench.call('GET', '/v1/account', { headers })).json().id).toBe(account.id);
    const made = await bench.call('POST', '/v1/registrations', { headers, body: { label: 'Den' } });
    expect([made.statusCode, made.json().source]).toEqual([201, 'page']);
    const path = `/v1/registrations/${made.json().id}`;
    expect((await bench.call('DELETE', path, { headers })).statusCode).toBe(204);
    expect((await bench.call('GET', '/v1/accounts', { headers })).statusCode, 'the operator alone').toBe(403);
  });

  test('is new at each sign-in, and the one of the call ends (no session fixation)', async () => {
    const planted = '__Host-ms_session=mss_0123456789';
    const first = cookieOf(
      (await signIn({ secret: account.secret }, { cookie: planted })).headers['set-cookie'],
    );
    expect(first).not.toBe(planted);
    expect((await bench.call('GET', '/v1/account', { headers: { cookie: planted } })).statusCode).toBe(401);
    const second = cookieOf(
      (await signIn({ secret: account.secret }, { cookie: first })).headers['set-cookie'],
    );
    expect(second).not.toBe(first);
    expect((await bench.call('GET', '/v1/account', { headers: { cookie: first } })).statusCode).toBe(401);
    expect((await bench.call('GET', '/v1/account', { headers: { cookie: second } })).statusCode).toBe(200);
  });

  test('lasts 30 days from its last use', async () => {
    const cookie = await session();
    const get = () => bench.call('GET', '/v1/account', { headers: { cookie } });
    expect((await get()).headers['set-cookie'], 'not at each call').toBeUndefined();
    disk.clock.nowMs += 29 * DAY_MS;
    expect(String((await get()).headers['set-cookie'])).toContain('Max-Age=2592000');
    disk.clock.nowMs += 29 * DAY_MS;
    expect((await get()).statusCode).toBe(200);
    disk.clock.nowMs += 31 * DAY_MS;
    expect((await get()).statusCode).toBe(401);
  });

  test('ends at sign-out, which may be repeated', async () => {
    const cookie = await session();
    const out = await bench.call('DELETE', '/v1/session', { headers: fromPage(cookie) });
    expect([out.statusCode, String(out.headers['set-cookie'])]).toEqual([
      204,
      '__Host-ms_session=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0',
    ]);
    expect((await bench.call('GET', '/v1/account', { headers: { cookie } })).statusCode).toBe(401);
    expect((await bench.call('DELETE', '/v1/session', { headers: fromPage(cookie) })).statusCode).toBe(204);
    expect((await bench.call('DELETE', '/v1/session')).statusCode).toBe(204);
  });

  test('ends with the secret and with the account', async () => {
    const cookie = await session();
    await bench.call('POST', `/v1/accounts/${account.id}/secret`, { key: ADMIN_KEY });
    expect((await bench.call('GET', '/v1/account', { headers: { cookie } })).statusCode).toBe(401);
  });

  test('is not in the export, nor is any other credential', async () => {
    const cookie = await session();
    const exported = await bench.call('GET', '/v1/account/export', { headers: fromPage(cookie) });
    expect(exported.json().sessions).toHaveLength(1);
    expect(exported.body).not.toMatch(/ms[slut]?_\w{8}/);
  });
});

describe('two session cookies (a sibling site planted one)', () => {
  const http = () =>
    ControlBench.make({ registry: disk.registry, publicUrl: 'http://dns.example.net' }, disk.clock);
  const get = (cookie: string) =>
    bench.call('GET', '/v1/account', {
      headers: { cookie, 'sec-fetch-site': 'same-origin', host: 'dns.example.net' },
    });

  test('over http neither counts, and all that the name can have are removed', async () => {
    bench = await http();
    const [attacker, victim] = [await session(), await session()];
    for (const cookies of [`${attacker}; ${victim}`, `${victim}; ${attacker}`, `ms_session=!; ${victim}`]) {
      const reply = await get(cookies);
      expect(reply.statusCode).toBe(401);
      expect(reply.headers['set-cookie']).toEqual([
        'ms_session=; Path=/; Max-Age=0',
        'ms_session=; Path=/v1; Max-Age=0',
        'ms_session=; Domain=dns.example.net; Path=/; Max-Age=0',
        'ms_session=; Domain=dns.example.net; Path=/v1; Max-Age=0',
        'ms_session=; Domain=example.net; Path=/; Max-Age=0',
        'ms_session=; Domain=example.net; Path=/v1; Max-Age=0',
      ]);
    }
    expect((await get(victim)).statusCode).toBe(200);
  });

  test('over https a cookie that a sibling site can plant has another name', async () => {
    const victim = await session();
    const other = await bench.account();
    const attacker = cookieOf((await signIn({ secret: other.secret })).headers['set-cookie']);
    const planted = attacker.replace('__Host-', '');
    expect((await get(`${planted}; ${victim}`)).json().id).toBe(account.id);
    expect((await get(planted)).statusCode).toBe(401);
    expect((await get(`${attacker}; ${victim}`)).statusCode).toBe(401);
  });

  test('signing in again replaces them, and signing out ends both sessions', async () => {
    bench = await http();
    const [first, second] = [await session(), await session()];
    const cookie = `${first}; ${second}`;
    const again = await signIn({ secret: account.secret }, { cookie });
    expect([again.headers['set-cookie']].flat().at(-1)).toMatch(/^ms_session=mss_/);
    const headers = { cookie, origin: 'http://dns.example.net', 'sec-fetch-site': 'same-origin' };
    expect((await bench.call('DELETE', '/v1/session', { headers })).statusCode).toBe(204);
    for (const one of [first, second]) expect((await get(one)).statusCode).toBe(401);
  });
});

describe('cross-site calls', () => {
  const change = (headers: Record<string, string>) =>
    bench.call('PATCH', '/v1/account', { headers, body: { region: 'gb' } });

  test.each([
    ['our page', { origin: ORIGIN, 'sec-fetch-site': 'same-origin' }, 200],
    ['our page in an old browser, or on plain http', { origin: ORIGIN }, 200],
    ['a page of a sibling domain', { 'sec-fetch-site': 'same-site' }, 403],
    [
      'one with our origin forged as far as it may be',
      { origin: ORIGIN, 'sec-fetch-site': 'same-site' },
      403,
    ],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['one that says neither', {}, 403],
    ['the address bar', { 'sec-fetch-site': 'none' }, 403],
    ['another origin', { origin: 'https://evil.example' }, 403],
    ['a sandboxed page', { origin: 'null' }, 403],
  ])('by %s', async (_what, headers, status) => {
    const reply = await change({ cookie: await session(), ...(headers as Record<string, string>) });
    expect(reply.statusCode).toBe(status);
    const { region } = (await bench.call('GET', '/v1/account', { key: account.secret })).json();
    expect(region).toBe(status === 200 ? 'gb' : 'us');
  });

  test.each(['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x'])(
    'as a form, %s, changes nothing',
    async (type) => {
      const headers = { ...fromPage(await session()), 'content-type': type };
      const reply = await bench.control.app.inject({
        method: 'POST',
        url: '/v1/registrations',
        remoteAddress: HOME,
        headers,
        payload: '{"label":"x"}',
      });
      expect(reply.statusCode).toBe(415);
      const signing = await bench.control.app.inject({
        method: 'POST',
        url: '/v1/session',
        headers: { 'content-type': type },
        payload: JSON.stringify({ secret: account.secret }),
      });
      expect([signing.statusCode, signing.headers['set-cookie']]).toEqual([415, undefined]);
    },
  );

  test('a page of a sibling domain reads nothing and signs nobody in', async () => {
    const headers = { cookie: await session(), 'sec-fetch-site': 'same-site' };
    expect((await bench.call('GET', '/v1/page', { headers })).statusCode).toBe(403);
    expect((await bench.call('DELETE', '/v1/session', { headers })).statusCode).toBe(403);
    const forced = await signIn({ secret: account.secret }, { 'sec-fetch-site': 'cross-site' });
    expect([forced.statusCode, forced.headers['set-cookie']]).toEqual([403, undefined]);
  });

  test('a foreign host is refused, whatever X-Forwarded-Host says', async () => {
    const headers = {
      ...fromPage(await session()),
      host: 'evil.example',
      'x-forwarded-host': 'dns.example.net',
    };
    expect((await bench.call('GET', '/v1/account', { headers })).statusCode).toBe(421);
  });
});

describe('guessed secrets and links', () => {
  test('get the same answer, whatever is wrong with them', async () => {
    const old = new URL(await link()).hash.slice(1);
    disk.clock.nowMs += 5 * 60_000;
    const given = [
      { secret: 'x' },
      { secret: 'ms_wrong' },
      { link: 'msl_wrong' },
      { link: old },
      { link: account.secret },
    ];
    const replies = [];
    for (const body of given) replies.push(await signIn(body));
    for (const reply of replies) {
      expect([reply.statusCode, reply.body]).toEqual([401, replies[0]!.body]);
      expect(reply.headers['set-cookie']).toBeUndefined();
    }
  });

  test('are limited per source', async () => {
    const guess = (from: string) => bench.call('POST', '/v1/session', { body: { secret: 'x' }, from });
    for (let index = 0; index < 10; index += 1) await guess('198.51.99.70');
    const reply = await guess('198.51.99.70');
    expect([reply.statusCode, reply.json().code]).toEqual([429, 'too_many_attempts']);
    expect((await guess('198.51.99.71')).statusCode).toBe(401);
  });

  test.each([[{}], [{ secret: 'a', link: 'b' }], [{ secret: '' }], [{ secret: 1 }], [{ password: 'x' }]])(
    'in the form %j are bad input',
    async (body) => {
      expect((await signIn(body)).statusCode).toBe(400);
    },
  );
});

describe('a sign-in link', () => {
  test('leads to the page, with its token in the fragment', async () => {
    const url = new URL(await link());
    expect([url.origin, url.pathname, url.search]).toEqual([ORIGIN, '/sign-in', '']);
    expect(url.hash).toMatch(/^#msl_\w{32}$/);
  });

  test('survives a mail scanner that opens it; the button uses it once', async () => {
    const url = new URL(await link());
    for (let index = 0; index < 3; index += 1) {
      const opened = await bench.call('GET', `${url.pathname}${url.search}`);
      expect([opened.statusCode, opened.headers['set-cookie']]).toEqual([200, undefined]);
    }
    const body = { link: url.hash.slice(1) };
    const replies = await Promise.all([signIn(body), signIn(body), signIn(body)]);
    expect(replies.map(({ statusCode }) => statusCode).sort()).toEqual([204, 401, 401]);
    const cookie = cookieOf(replies.find(({ statusCode }) => statusCode === 204)!.headers['set-cookie']);
    expect((await bench.call('GET', '/v1/account', { headers: { cookie } })).json().id).toBe(account.id);
  });

  test('is created by the operator only, for an existing account', async () => {
    const path = `/v1/accounts/${account.id}/sign-in-links`;
    expect((await bench.call('POST', path, { key: account.secret })).statusCode).toBe(403);
    expect(
      (await bench.call('POST', '/v1/accounts/nobody/sign-in-links', { key: ADMIN_KEY })).statusCode,
    ).toBe(404);
  });
});

describe('a ticket', () => {
  const ticket = async () =>
    (await bench.call('POST', '/v1/tickets', { headers: fromPage(await session()) })).json().ticket as string;
  const register = (key: string, headers: Record<string, string> = {}) =>
    bench.call('POST', '/v1/registrations', {
      key,
      from: '2a00:1450:1:2::9',
      headers: { host: 'v6.dns.example.net', origin: ORIGIN, ...headers },
    });

  test('registers the other family once, and our page may read the reply', async () => {
    const key = await ticket();
    const reply = await register(key);
    expect([reply.statusCode, reply.json().source]).toEqual([201, 'page']);
    expect(reply.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
    expect(reply.headers['vary']).toBe('Origin');
    expect((await register(key)).statusCode).toBe(401);
  });

  test('ends after a minute and authorizes nothing else', async () => {
    const [first, second] = [await ticket(), await ticket()];
    for (const [method, url] of [
      ['GET', '/v1/registrations'],
      ['GET', '/v1/account'],
      ['DELETE', '/v1/account'],
    ] as const) {
      expect((await bench.call(method, url, { key: first })).statusCode).toBe(401);
    }
    disk.clock.nowMs += 60_000;
    expect((await register(second)).statusCode).toBe(401);
  });

  test('is refused to pages of other sites', async () => {
    const preflight = (url: string, origin: string) =>
      bench.call('OPTIONS', url, {
        headers: { host: 'v6.dns.example.net', origin, 'access-control-request-method': 'POST' },
      });
    const ours = await preflight('/v1/registrations', ORIGIN);
    expect(ours.statusCode).toBe(204);
    expect(ours.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type',
    });
    expect((await preflight('/v1/registrations', 'https://evil.example')).statusCode).toBe(403);
    expect((await preflight('/v1/account', ORIGIN)).statusCode).toBe(405);
    expect((await register(await ticket(), { origin: 'https://evil.example' })).statusCode).toBe(403);
  });
});
