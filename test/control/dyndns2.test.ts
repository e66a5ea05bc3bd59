import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreUnavailableError } from '../../src/registry/index.ts';
import { ControlBench, HOME } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

const MOVED = '198.51.99.9';
const HOME6 = '2a00:1450:1:2::9';

let disk: DiskRegistry;
let bench: ControlBench;
let account: { id: string; secret: string };
let token: string;
beforeAll(async () => {
  disk = await openDiskRegistry();
});
afterAll(() => disk.close());
beforeEach(async () => {
  bench = await ControlBench.make({ registry: disk.registry }, disk.clock);
  account = await bench.account({ perAccount: 3 });
  token = (
    await bench.call('POST', '/v1/update-tokens', { key: account.secret, body: { label: 'router' } })
  ).json().token;
});

interface Options {
  from?: string;
  user?: string;
  password?: string;
  headers?: Record<string, string>;
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

async function update(query: string, options: Options = {}): Promise<string> {
  const { from = HOME, user = account.id, password = token, headers = {} } = options;
  const reply = await bench.call('GET', `/nic/update?${query}`, {
    from,
    headers: { 'user-agent': 'router/1.0', authorization: basic(user, password), ...headers },
  });
  expect(reply.headers['content-type']).toMatch(/^text\/plain/);
  return `${reply.statusCode} ${reply.body}`;
}

async function registrations(): Promise<string[]> {
  const { registrations: held } = (
    await bench.call('GET', '/v1/registrations', { key: account.secret })
  ).json();
  return held.map(({ address, label, source }: Record<string, string>) => `${address} ${label} ${source}`);
}

describe('an update', () => {
  test("registers the caller's address: good, then nochg", async () => {
    expect(await update('hostname=home.example')).toBe(`200 good ${HOME}`);
    expect(await registrations()).toEqual([`${HOME} home.example dyndns2`]);
    expect(await update('hostname=home.example')).toBe(`200 nochg ${HOME}`);
  });

  test('that changes nothing renews the lease', async () => {
    const expiresAt = async () =>
      (await bench.call('GET', '/v1/registrations', { key: account.secret })).json().registrations[0]
        .expiresAt;
    await update('hostname=home.example');
    const before = Date.parse(await expiresAt());
    disk.clock.nowMs += 86_400_000;
    expect(await update('hostname=home.example')).toBe(`200 nochg ${HOME}`);
    expect(Date.parse(await expiresAt()) - before).toBe(86_400_000);
  });

  test('moves the name: removes the old address at once, keeps the other family', async () => {
    await update('hostname=home.example');
    await update('hostname=home.example', { from: HOME6 });
    expect(await update('hostname=home.example', { from: MOVED })).toBe(`200 good ${MOVED}`);
    expect(await registrations()).toEqual([
      '2a00:1450:1:2::/64 home.example dyndns2',
      `${MOVED} home.example dyndns2`,
    ]);
  });

  test('of several names answers one line each, in their order', async () => {
    expect(await update('hostname=b.example,a.example')).toBe(`200 good ${HOME}\ngood ${HOME}`);
    expect(await update('hostname=b.example,a.example')).toBe(`200 nochg ${HOME}\nnochg ${HOME}`);
    expect(await update('hostname=b.example&hostname=c.example', { from: MOVED })).toBe(
      `200 good ${MOVED}\ngood ${MOVED}`,
    );
    expect(await registrations()).toEqual([`${MOVED} b.example dyndns2`]);
  });

  test('replaces the oldest address at the limit', async () => {
    for (const index of [1, 2, 3, 4]) {
      expect(await update(`hostname=h${index}.example`, { from: `198.51.99.${index}` })).toContain('good');
    }
    expect(await registrations()).toHaveLength(3);
    expect(await registrations()).not.toContain('198.51.99.1 h1.example dyndns2');
  });

  test('takes over an address that the page registered', async () => {
    await bench.call('POST', '/v1/registrations', { key: account.secret, body: { label: 'Living room' } });
    expect(await update('hostname=home.example')).toBe(`200 good ${HOME}`);
    expect(await update('hostname=home.example')).toBe(`200 nochg ${HOME}`);
  });

  test.each([
    ['myip of the caller', `myip=${HOME}`, HOME, `good ${HOME}`],
    ['none', '', HOME, `good ${HOME}`],
    ['an empty one', 'myip=', HOME, `good ${HOME}`],
    ['both families, from IPv4', `myip=${HOME},${HOME6}`, HOME, `good ${HOME}`],
    ['both families, from IPv6', `myip=${HOME},${HOME6}`, HOME6, `good ${HOME6}`],
    ['an IPv6 address of the same /64', `myip=2a00:1450:1:2::77`, HOME6, 'good 2a00:1450:1:2::77'],
    ['myipv6', `myip=203.0.114.1&myipv6=${HOME6}`, HOME6, `good ${HOME6}`],
    ['only the other family', `myip=${HOME6}`, HOME, `good ${HOME}`],
    ["another's", 'myip=198.51.99.66', HOME, '!yours'],
    ["another's /64", 'myip=2a00:1450:1:3::9', HOME6, '!yours'],
    ["another's beside the caller's", `myip=${HOME},198.51.99.66`, HOME, '!yours'],
    ["another's behind a private one", 'myip=192.168.1.2,198.51.99.66', HOME, '!yours'],
    ["another's as myipv6", 'myipv6=2a00:1450:1:3::9', HOME6, '!yours'],
    // Not anybody's public address, so no claim (devices.md F1).
    ['a private WAN address (UniFi behind an ISP router)', 'myip=192.168.1.2', HOME, `good ${HOME}`],
    ['a CGNAT address', 'myip=100.65.1.2', HOME, `good ${HOME}`],
    ['loopback', 'myip=127.0.0.1', HOME, `good ${HOME}`],
    ['an unfilled template (FRITZ!Box)', 'myip=<ipaddr>', HOME, `good ${HOME}`],
    ['unfilled templates of both', 'myip=<ipaddr>&myipv6=<ip6addr>', HOME, `good ${HOME}`],
    ['a prefix template (nsupdate.info)', 'myip=<ip6lanprefix>', HOME, `good ${HOME}`],
    ['a prefix of the caller', `myip=${HOME}/24`, HOME, `good ${HOME}`],
    ["another's prefix", 'myip=198.51.99.66/24', HOME, `good ${HOME}`],
    ['an address run into a name (inadyn)', `myip=${HOME}domain2.example`, HOME, `good ${HOME}`],
    ['an IPv6 prefix from IPv4', 'myip=2a02:8071:1:2::/64', HOME, `good ${HOME}`],
    ['its address and an IPv6 prefix', `myip=${HOME}&myipv6=2a02:8071:1:2::/64`, HOME, `good ${HOME}`],
    ['a link-local address from IPv6', 'myip=fe80::1', HOME6, `good ${HOME6}`],
    ['a unique local address from IPv6', 'myip=fd00::1', HOME6, `good ${HOME6}`],
    ['the own /64 as a prefix', 'myip=2a00:1450:1:2::/64', HOME6, `good ${HOME6}`],
    ['documentation', 'myip=192.0.2.1', HOME, `good ${HOME}`],
    ['zero', 'myip=0.0.0.0', HOME, `good ${HOME}`],
    ['a word', 'myip=none', HOME, `good ${HOME}`],
  ])('with %s as myip', async (_what, query, from, answer) => {
    expect(await update(`hostname=home.example&${query}`, { from })).toBe(`200 ${answer}`);
    if (answer === '!yours') expect(await registrations()).toEqual([]);
  });

  test.each([
    ['79', 'fritz-box-in-the-living-room-ups.my.accounts.streaming-smartdns-service.example'],
    ['253', `${'a.'.repeat(126)}a`],
    ['63 in one label', `${'b'.repeat(63)}.example`],
  ])('takes a host name of %s characters as the label', async (_length, name) => {
    expect(await update(`hostname=${name}`)).toBe(`200 good ${HOME}`);
    expect(await registrations()).toEqual([`${HOME} ${name} dyndns2`]);
  });

  test('ignores further parameters that routers send', async () => {
    const query = 'system=dyndns&hostname=home.example&wildcard=NOCHG&mx=&backmx=NO&offline=NO';
    expect(await update(query)).toBe(`200 good ${HOME}`);
    expect(await update('hostname=HOME.Example.')).toBe(`200 nochg ${HOME}`);
  });

  test.each([
    ['no name', '', 'notfqdn'],
    ['an empty one', 'hostname=', 'notfqdn'],
    ['an invalid one', 'hostname=a%20b', 'notfqdn'],
    ['one with a hyphen at its end', 'hostname=a-.example', 'notfqdn'],
    ['a bad one among good ones', 'hostname=a.example,b..example', 'notfqdn'],
    ['too many', `hostname=${Array.from({ length: 21 }, (_, i) => `h${i}.example`).join()}`, 'numhost'],
    ['broken escapes', 'hostname=%zz', 'notfqdn'],
    ['a label of 64 characters', `hostname=${'a'.repeat(64)}.example`, 'notfqdn'],
    ['a name of 254 characters', `hostname=${'a.'.repeat(126)}aa`, 'notfqdn'],
  ])('with %s gets one code and registers nothing', async (_what, query, code) => {
    expect(await update(query)).toBe(`200 ${code}`);
    expect(await registrations()).toEqual([]);
  });

  test('from an unregistrable address answers nohost', async () => {
    expect(await update('hostname=home.example', { from: '192.168.1.2' })).toBe('200 nohost');
  });

  test('believes X-Forwarded-For of trusted proxies only', async () => {
    const headers = { 'x-forwarded-for': MOVED };
    expect(await update('hostname=home.example', { from: '10.0.0.1', headers })).toBe(`200 good ${MOVED}`);
    expect(await update('hostname=home.example', { headers })).toBe(`200 good ${HOME}`);
  });

  test('while the store is unavailable answers 200 911', async () => {
    const memory = await ControlBench.make();
    memory.registry.fail = new StoreUnavailableError('of a test');
    const reply = await memory.call('GET', '/nic/update?hostname=home.example', {
      headers: { 'user-agent': 'x', authorization: basic('a', 'b') },
    });
    expect([reply.statusCode, reply.body]).toEqual([200, '911']);
    expect(memory.lines).toMatchObject([{ code: 'store_unavailable', route: '/nic/update' }]);
  });
});

describe('authorization of updates', () => {
  test('requires a User-Agent', async () => {
    expect(await update('hostname=home.example', { headers: { 'user-agent': '' } })).toBe('200 badagent');
  });

  test('accepts an account with one of its tokens and nothing else', async () => {
    const other = await bench.account();
    const attempts: Options[] = [
      { user: 'nobody' },
      { user: other.id },
      { password: 'msu_wrong' },
      { password: account.secret },
      { password: '' },
      { headers: { authorization: `Bearer ${token}` } },
      { headers: { authorization: `Bearer ${account.secret}` } },
      { headers: { authorization: 'Basic' } },
      { headers: { authorization: `Basic ${Buffer.from('no colon').toString('base64')}` } },
    ];
    for (const attempt of attempts)
      expect(await update('hostname=home.example', attempt)).toBe('401 badauth');
    expect(await registrations()).toEqual([]);
    const bare = await bench.call('GET', '/nic/update?hostname=x.example', {
      headers: { 'user-agent': 'x' },
    });
    expect([bare.statusCode, bare.body, bare.headers['www-authenticate']]).toEqual([
      401,
      'badauth',
      'Basic realm="mediastreamer", charset="UTF-8"',
    ]);
  });

  test('answers 200 abuse after too many guesses, and a right token still passes', async () => {
    const from = '198.51.99.77';
    for (let index = 0; index < 10; index += 1) {
      expect(await update('hostname=x.example', { from, password: 'msu_x' })).toBe('401 badauth');
    }
    expect(await update('hostname=x.example', { from, password: 'msu_x' })).toBe('200 abuse');
    expect(await update('hostname=x.example', { from })).toBe(`200 good ${from}`);
  });

  test('a request without credentials always gets the challenge and is not a guess', async () => {
    const from = '198.51.99.78';
    const ask = () =>
      bench.call('GET', '/nic/update?hostname=w.example', { from, headers: { 'user-agent': 'Wget/1.21.3' } });
    const isChallenge = async () => {
      const reply = await ask();
      return reply.statusCode === 401 && String(reply.headers['www-authenticate']).startsWith('Basic ');
    };
    // Clients that wait for the challenge: 12 updates in a minute are 24 requests.
    for (let index = 0; index < 12; index += 1) {
      expect(await isChallenge()).toBe(true);
      expect(await update('hostname=w.example', { from })).toMatch(/^200 (good|nochg) /);
    }
    // A neighbour behind the same CGNAT address guesses.
    for (let index = 0; index < 12; index += 1) {
      await update('hostname=x.example', { from, password: 'msu_x' });
    }
    expect(await update('hostname=x.example', { from, password: 'msu_x' })).toBe('200 abuse');
    expect(await isChallenge()).toBe(true);
    expect(await update('hostname=w.example', { from })).toBe(`200 nochg ${from}`);
  });

  test('answers 200 abuse after too many updates of an account, until the window ends', async () => {
    bench = await ControlBench.make(
      { registry: disk.registry, updates: { updates: 2, windowSeconds: 60 } },
      disk.clock,
    );
    const answers = [];
    for (let index = 0; index < 3; index += 1) answers.push(await update('hostname=home.example'));
    expect(answers).toEqual([`200 good ${HOME}`, `200 nochg ${HOME}`, '200 abuse']);
    disk.clock.nowMs += 60_000;
    expect(await update('hostname=home.example')).toBe(`200 nochg ${HOME}`);
  });

  test('rejects a revoked token', async () => {
    const [{ id }] = (await bench.call('GET', '/v1/update-tokens', { key: account.secret })).json()
      .updateTokens;
    expect((await bench.call('DELETE', `/v1/update-tokens/${id}`, { key: account.secret })).statusCode).toBe(
      204,
    );
    expect(await update('hostname=home.example')).toBe('401 badauth');
  });

  test('a token authorizes updates and nothing else', async () => {
    const calls = [
      ['GET', '/v1/account'],
      ['GET', '/v1/registrations'],
      ['POST', '/v1/registrations'],
      ['DELETE', '/v1/account'],
      ['GET', '/v1/page'],
      ['POST', '/v1/tickets'],
      ['GET', '/v1/accounts'],
    ] as const;
    for (const [index, [method, url]] of calls.entries()) {
      const from = `198.51.99.${100 + index}`;
      expect((await bench.call(method, url, { key: token, from })).statusCode).toBe(401);
      const headers = { authorization: basic(account.id, token) };
      expect((await bench.call(method, url, { headers, from })).statusCode).toBe(401);
    }
    expect((await bench.call('POST', '/v1/session', { body: { secret: token } })).statusCode).toBe(401);
  });

  test.each(['HEAD', 'PUT', 'DELETE', 'OPTIONS'] as const)('rejects the method %s', async (method) => {
    const reply = await bench.call(method, '/nic/update?hostname=home.example', {
      headers: { 'user-agent': 'x', authorization: basic(account.id, token) },
    });
    expect(reply.statusCode).toBe(405);
    expect(await registrations()).toEqual([]);
  });

  test('rejects pages of other sites', async () => {
    const headers = {
      'user-agent': 'x',
      authorization: basic(account.id, token),
      origin: 'https://evil.example',
    };
    expect((await bench.call('GET', '/nic/update?hostname=home.example', { headers })).statusCode).toBe(403);
    const foreign = { ...headers, origin: '', host: 'evil.example' };
    expect(
      (await bench.call('GET', '/nic/update?hostname=home.example', { headers: foreign })).statusCode,
    ).toBe(421);
    expect(await registrations()).toEqual([]);
  });
});

describe('update tokens', () => {
  test('are shown once, listed without the secret, and limited in number', async () => {
    const { updateTokens } = (await bench.call('GET', '/v1/update-tokens', { key: account.secret })).json();
    expect(updateTokens).toEqual([
      { id: expect.any(String), label: 'router', createdAt: expect.any(String) },
    ]);
    const make = () => bench.call('POST', '/v1/update-tokens', { key: account.secret, body: { label: 'x' } });
    for (let index = 1; index < 20; index += 1) expect((await make()).statusCode).toBe(201);
    const reply = await make();
    expect([reply.statusCode, reply.json().code]).toEqual([409, 'too_many_update_tokens']);
  });

  test('a repeated call creates one token, and the latest secret is valid', async () => {
    const make = () =>
      bench.call('POST', '/v1/update-tokens', {
        key: account.secret,
        body: { label: 'box' },
        headers: { 'idempotency-key': 'k1' },
      });
    const [first, second] = [(await make()).json(), (await make()).json()];
    expect(second.id).toBe(first.id);
    expect(await update('hostname=x.example', { password: first.token })).toBe('401 badauth');
    expect(await update('hostname=x.example', { password: second.token })).toContain('good');
  });
});

test('GET /nic/checkip answers in the words that clients search for', async () => {
  const reply = await bench.call('GET', '/nic/checkip');
  expect(reply.headers['content-type']).toMatch(/^text\/html/);
  expect(reply.body).toBe(
    `<html><head><title>Current IP Check</title></head><body>Current IP Address: ${HOME}</body></html>`,
  );
});
