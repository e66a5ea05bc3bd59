import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

const key = ADMIN_KEY;
let disk: DiskRegistry;
let bench: ControlBench;
beforeAll(async () => {
  disk = await openDiskRegistry();
});
afterAll(() => disk.close());
beforeEach(async () => {
  disk.clock.nowMs = Date.UTC(2026, 0, 1);
  bench = await ControlBench.make({ registry: disk.registry }, disk.clock);
});

describe('POST /v1/accounts', () => {
  test('creates an account and shows its secret', async () => {
    const reply = await bench.call('POST', '/v1/accounts', { key, body: { region: 'gb', perAccount: 3 } });
    expect(reply.statusCode).toBe(201);
    const { id, secret } = reply.json();
    expect(reply.json()).toEqual({
      id,
      secret,
      region: 'gb',
      perAccount: 3,
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    expect(reply.headers.location).toBe(`/v1/accounts/${id}`);
    expect((await bench.call('GET', '/v1/account', { key: secret })).json().id).toBe(id);
  });

  test('needs no body', async () => {
    expect((await bench.call('POST', '/v1/accounts', { key })).statusCode).toBe(201);
  });

  test('lists the configured regions when another is requested', async () => {
    const reply = await bench.call('POST', '/v1/accounts', { key, body: { region: 'atlantis' } });
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toMatchObject({
      code: 'bad_input',
      errors: [{ field: 'region', expected: 'one of us, gb' }],
    });
  });

  test('accepts a region that a reload added', async () => {
    bench.regions = ['us', 'atlantis'];
    const reply = await bench.call('POST', '/v1/accounts', { key, body: { region: 'atlantis' } });
    expect(reply.statusCode).toBe(201);
  });

  test('repeated with its idempotency key returns the same account with a fresh secret', async () => {
    const headers = { 'idempotency-key': 'once' };
    const first = (await bench.call('POST', '/v1/accounts', { key, body: {}, headers })).json();
    const second = (await bench.call('POST', '/v1/accounts', { key, body: {}, headers })).json();
    expect(second.id).toBe(first.id);
    expect(second.secret).not.toBe(first.secret);
    const other = await bench.call('POST', '/v1/accounts', { key, body: { region: 'gb' }, headers });
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency_key_reused']);
  });

  test.each(['', 'a b', 'é', 'x'.repeat(256)])('refuses the idempotency key %j', async (idempotencyKey) => {
    const reply = await bench.call('POST', '/v1/accounts', {
      key,
      headers: { 'idempotency-key': idempotencyKey },
    });
    expect(reply.statusCode).toBe(400);
    expect(reply.json().errors[0].field).toBe('idempotency-key');
  });
});

describe('GET /v1/accounts', () => {
  test('lists every account once over all pages', async () => {
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) made.push((await bench.account()).id);
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const query: string = after === '' ? 'limit=2' : `limit=2&after=${after}`;
      const page: { accounts: { id: string }[]; next: string | null } = (
        await bench.call('GET', `/v1/accounts?${query}`, { key })
      ).json();
      expect(page.accounts.length).toBeLessThanOrEqual(2);
      seen.push(...page.accounts.map(({ id }) => id));
      after = page.next;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(made));
  });

  test.each(['limit=0', 'limit=1001', 'limit=x', 'limit=1e2', 'limit=1&limit=2', 'limit='])(
    'refuses %s',
    async (query) => {
      const reply = await bench.call('GET', `/v1/accounts?${query}`, { key });
      expect(reply.statusCode).toBe(400);
      expect(reply.json().errors).toEqual([{ field: 'limit', expected: 'a whole number from 1 to 1000' }]);
    },
  );
});

describe('one account', () => {
  test('is shown, changed, suspended and erased', async () => {
    const { id, secret } = await bench.account();
    const shown = (await bench.call('GET', `/v1/accounts/${id}`, { key })).json();
    expect(shown).toEqual({
      id,
      region: 'us',
      perAccount: 5,
      suspended: false,
      services: {},
      createdAt: '2026-01-01T00:00:00.000Z',
      activeAt: '2026-01-01T00:00:00.000Z',
      keep: false,
    });
    const change = { region: 'gb', perAccount: 2, suspended: true, keep: true };
    const changed = await bench.call('PATCH', `/v1/accounts/${id}`, { key, body: change });
    expect(changed.json()).toEqual({ ...shown, ...change });
    const erased = await bench.call('DELETE', `/v1/accounts/${id}`, { key });
    expect([erased.statusCode, erased.body]).toEqual([204, '']);
    expect((await bench.call('GET', '/v1/account', { key: secret })).statusCode).toBe(401);
  });

  test.each(['GET', 'PATCH', 'DELETE'] as const)('%s of an unknown account answers 404', async (method) => {
    const reply = await bench.call(method, '/v1/accounts/nobody', { key });
    expect([reply.statusCode, reply.json().code]).toEqual([404, 'not_found']);
  });
});

describe('POST /v1/accounts/{id}/secret', () => {
  test('the operator or the account itself rotates the secret, and the old one ends', async () => {
    const { id, secret } = await bench.account();
    const own = await bench.call('POST', `/v1/accounts/${id}/secret`, { key: secret });
    expect(own.statusCode).toBe(201);
    expect((await bench.call('GET', '/v1/account', { key: secret })).statusCode).toBe(401);
    const again = await bench.call('POST', `/v1/accounts/${id}/secret`, { key });
    expect((await bench.call('GET', '/v1/account', { key: again.json().secret })).statusCode).toBe(200);
  });

  test("another account's id answers like an unknown one", async () => {
    const { id } = await bench.account();
    const { secret } = await bench.account();
    const foreign = await bench.call('POST', `/v1/accounts/${id}/secret`, { key: secret });
    const unknown = await bench.call('POST', '/v1/accounts/nobody/secret', { key: secret });
    expect(foreign.statusCode).toBe(404);
    expect(foreign.body).toBe(unknown.body);
  });
});

describe('the addresses of an account', () => {
  const address = '203.0.114.9';

  test('the operator registers, lists and removes any address', async () => {
    const { id } = await bench.account();
    const url = `/v1/accounts/${id}/registrations`;
    const made = await bench.call('POST', url, { key, body: { address, label: 'Attic' } });
    expect(made.statusCode).toBe(201);
    expect(made.json()).toMatchObject({ address, label: 'Attic', source: 'admin' });
    expect(made.headers.location).toBe(`${url}/${made.json().id}`);
    expect((await bench.call('POST', url, { key, body: { address } })).statusCode).toBe(200);
    expect((await bench.call('GET', url, { key })).json().registrations).toHaveLength(1);
    expect((await bench.call('DELETE', made.headers.location as string, { key })).statusCode).toBe(204);
    expect((await bench.call('DELETE', made.headers.location as string, { key })).statusCode).toBe(404);
    expect((await bench.call('GET', url, { key })).json()).toEqual({ registrations: [] });
  });

  test('an IPv6 /64 as the API prints it is accepted as input', async () => {
    const { id } = await bench.account();
    const url = `/v1/accounts/${id}/registrations`;
    const made = await bench.call('POST', url, { key, body: { address: '2a00:1:2:3::4' } });
    expect(made.json().address).toBe('2a00:1:2:3::/64');
    expect((await bench.call('POST', url, { key, body: { address: '2a00:1:2:3::/64' } })).statusCode).toBe(
      200,
    );
  });

  test.each(['', 'home.example.net', '1.2.3', '1.2.3.0/24', '::/0', '1.2.3.4%eth0', ' 1.2.3.4'])(
    'refuses %j as an address',
    async (text) => {
      const { id } = await bench.account();
      const reply = await bench.call('POST', `/v1/accounts/${id}/registrations`, {
        key,
        body: { address: text },
      });
      expect(reply.statusCode).toBe(400);
      expect(reply.json().errors).toEqual([{ field: 'address', expected: 'an IPv4 or IPv6 address' }]);
    },
  );

  test('a missing address answers 400, an unknown account 404', async () => {
    const { id } = await bench.account();
    const missing = await bench.call('POST', `/v1/accounts/${id}/registrations`, { key, body: {} });
    expect(missing.json().errors).toEqual([{ field: 'address', expected: 'an IPv4 or IPv6 address' }]);
    const unknown = await bench.call('POST', '/v1/accounts/nobody/registrations', { key, body: { address } });
    expect(unknown.statusCode).toBe(404);
    expect((await bench.call('GET', '/v1/accounts/nobody/registrations', { key })).statusCode).toBe(404);
  });
});
