import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench, HOME } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

let disk: DiskRegistry;
let bench: ControlBench;
let key: string;
beforeAll(async () => {
  disk = await openDiskRegistry();
});
afterAll(() => disk.close());
beforeEach(async () => {
  disk.clock.nowMs = Date.UTC(2026, 0, 1);
  bench = await ControlBench.make({ registry: disk.registry }, disk.clock);
  key = (await bench.account({ perAccount: 2 })).secret;
});

describe('PATCH /v1/registrations/{id}', () => {
  test('corrects a label', async () => {
    const made = await bench.call('POST', '/v1/registrations', { key, body: { label: 'Jane Doe' } });
    const path = `/v1/registrations/${made.json().id}`;
    const changed = await bench.call('PATCH', path, { key, body: { label: 'Den' } });
    expect(changed.json()).toEqual({ ...made.json(), label: 'Den' });
    expect((await bench.call('PATCH', path, { key, body: { label: null } })).json().label).toBeNull();
    expect((await bench.call('GET', '/v1/account/export', { key })).body).not.toContain('Jane');
    const other = (await bench.account()).secret;
    const foreign = await bench.call('PATCH', path, { key: other, body: { label: 'x' } });
    expect([foreign.statusCode, foreign.json().code]).toEqual([404, 'not_found']);
    const none = await bench.call('PATCH', path, { key, body: {} });
    expect([none.statusCode, none.json().code]).toEqual([400, 'bad_input']);
  });
});

describe('POST /v1/registrations', () => {
  test("registers the caller's address, then renews it", async () => {
    const made = await bench.call('POST', '/v1/registrations', { key });
    expect(made.statusCode).toBe(201);
    expect(made.json()).toEqual({
      id: expect.any(String),
      address: HOME,
      label: null,
      source: 'api',
      evidence: 'seen',
      createdAt: '2026-01-01T00:00:00.000Z',
      expiresAt: '2026-04-01T00:00:00.000Z',
    });
    expect(made.headers.location).toBe(`/v1/registrations/${made.json().id}`);
    bench.clock.nowMs += 86_400_000;
    const renewed = await bench.call('POST', '/v1/registrations', { key, body: { label: 'Home' } });
    expect(renewed.statusCode).toBe(200);
    expect(renewed.json()).toEqual({ ...made.json(), label: 'Home', expiresAt: '2026-04-02T00:00:00.000Z' });
    expect(renewed.headers.location).toBeUndefined();
  });

  test("accepts the caller's own address in the body", async () => {
    expect((await bench.call('POST', '/v1/registrations', { key, body: { address: HOME } })).statusCode).toBe(
      201,
    );
    const mapped = await bench.call('POST', '/v1/registrations', {
      key,
      body: { address: `::ffff:${HOME}` },
    });
    expect(mapped.statusCode).toBe(200);
  });

  test.each([
    ['another address', HOME, '198.51.99.8'],
    ['another /64', '2a00:1:2:3::1', '2a00:1:2:4::1'],
    ['the other family', HOME, '2a00:1:2:3::1'],
  ])('refuses %s', async (_name, from, address) => {
    const reply = await bench.call('POST', '/v1/registrations', { key, from, body: { address } });
    expect([reply.statusCode, reply.json().code]).toEqual([403, 'address_not_yours']);
    expect(reply.body).not.toContain(address);
    expect((await bench.call('GET', '/v1/registrations', { key })).json().registrations).toEqual([]);
  });

  test("accepts an address of the caller's /64", async () => {
    const from = '2a00:1:2:3::1';
    const body = { address: '2A00:1:2:3:aaaa::2' };
    const reply = await bench.call('POST', '/v1/registrations', { key, from, body });
    expect([reply.statusCode, reply.json().address]).toEqual([201, '2a00:1:2:3::/64']);
  });

  test.each(['127.0.0.1', '192.168.1.5', '100.64.0.1', '::1', 'fe80::1', '192.0.2.1'])(
    'passes on that %s may not be registered',
    async (from) => {
      const reply = await bench.call('POST', '/v1/registrations', { key, from });
      expect([reply.statusCode, reply.json().code]).toEqual([422, 'address_not_public']);
      expect(reply.body).not.toContain(from);
    },
  );

  test('past the limit answers 409, or replaces the oldest', async () => {
    for (const from of ['198.51.99.1', '198.51.99.2'])
      await bench.call('POST', '/v1/registrations', { key, from });
    const full = await bench.call('POST', '/v1/registrations', { key });
    expect([full.statusCode, full.json().code]).toEqual([409, 'too_many_addresses']);
    expect(full.json().detail).toContain('2');
    const replaced = await bench.call('POST', '/v1/registrations', { key, body: { replace: 'oldest' } });
    expect(replaced.statusCode).toBe(201);
    const { registrations } = (await bench.call('GET', '/v1/registrations', { key })).json();
    expect(registrations.map(({ address }: { address: string }) => address)).toEqual(['198.51.99.2', HOME]);
  });

  test('repeated with its idempotency key gets the first answer', async () => {
    const headers = { 'idempotency-key': 'k1' };
    for (let index = 0; index < 2; index += 1) {
      expect((await bench.call('POST', '/v1/registrations', { key, headers })).statusCode).toBe(201);
    }
    const other = await bench.call('POST', '/v1/registrations', { key, headers, body: { label: 'x' } });
    expect([other.statusCode, other.json().code]).toEqual([422, 'idempotency_key_reused']);
  });

  test.each([
    [{ label: '' }, 'label'],
    [{ label: 'x'.repeat(65) }, 'label'],
    [{ label: 'a\u0000b' }, 'label'],
    [{ label: 'a\nb' }, 'label'],
    [{ label: 'a\u202eb' }, 'label'],
    [{ label: '\ud800' }, 'label'],
    [{ label: 7 }, 'label'],
    [{ label: null }, 'label'],
    [{ replace: 'newest' }, 'replace'],
    [{ address: 1 }, 'address'],
    [{ address: 'x' }, 'address'],
    [{ adress: HOME }, 'adress'],
    [{ source: 'page' }, 'source'],
    [[], 'body'],
  ])('names the field of %j', async (body, field) => {
    const reply = await bench.call('POST', '/v1/registrations', { key, body });
    expect([reply.statusCode, reply.json().code]).toEqual([400, 'bad_input']);
    expect(reply.json().errors).toEqual([{ field, expected: expect.any(String) }]);
  });

  test('accepts labels of 64 characters in any script', async () => {
    for (const label of ['客厅的电视', 'Téléviseur « salon »', '📺'.repeat(64), '👨‍👩‍👧']) {
      expect((await bench.call('POST', '/v1/registrations', { key, body: { label } })).json().label).toBe(
        label,
      );
    }
  });
});

describe('GET and DELETE /v1/registrations', () => {
  test('a removed address is gone', async () => {
    const { id } = (await bench.call('POST', '/v1/registrations', { key })).json();
    const gone = await bench.call('DELETE', `/v1/registrations/${id}`, { key });
    expect([gone.statusCode, gone.body]).toEqual([204, '']);
    expect((await bench.call('GET', '/v1/registrations', { key })).json()).toEqual({ registrations: [] });
  });

  test("another account's address answers like an unknown one", async () => {
    const { id } = (await bench.call('POST', '/v1/registrations', { key })).json();
    const other = await bench.account();
    const foreign = await bench.call('DELETE', `/v1/registrations/${id}`, { key: other.secret });
    const unknown = await bench.call('DELETE', '/v1/registrations/nothing', { key: other.secret });
    expect([foreign.statusCode, foreign.body]).toEqual([404, unknown.body]);
    expect((await bench.call('GET', '/v1/registrations', { key })).json().registrations).toHaveLength(1);
  });
});

describe('/v1/account', () => {
  test('shows the account, and changes its region and regions per service', async () => {
    const body = { region: 'gb', services: { netflix: 'us', hulu: 'off' } };
    const changed = await bench.call('PATCH', '/v1/account', { key, body });
    expect(changed.json()).toMatchObject(body);
    expect((await bench.call('GET', '/v1/account', { key })).json()).toEqual(changed.json());
    const cleared = await bench.call('PATCH', '/v1/account', { key, body: { services: {} } });
    expect(cleared.json()).toMatchObject({ region: 'gb', services: {} });
  });

  test.each([
    [{ services: { netflix: 'jp' } }, 'services.netflix', 'one of us, gb, off'],
    // jp is a region of the service but not configured.
    [{ services: { hulu: 'jp' } }, 'services.hulu', 'one of us, off'],
    [{ services: { nothing: 'us' } }, 'services.nothing', 'a service of the catalog'],
    [{ services: { '203.0.113.7': 'us' } }, 'services', 'a service of the catalog'],
    [{ services: { toString: 'us' } }, 'services.toString', 'a service of the catalog'],
    [{ services: { netflix: 1 } }, 'services.netflix', "one of the service's regions, or off"],
    [{ services: [] }, 'services', 'an object of services and regions'],
    [{ region: 'off' }, 'region', 'one of us, gb'],
    [{ perAccount: 100 }, 'perAccount', 'no such field; known fields: region, services'],
    [{ suspended: false }, 'suspended', 'no such field; known fields: region, services'],
  ])('refuses %j', async (body, field, expected) => {
    const reply = await bench.call('PATCH', '/v1/account', { key, body });
    expect(reply.statusCode).toBe(400);
    expect(reply.json().errors).toEqual([{ field, expected }]);
  });

  test('a current choice may be sent back after its service has left the catalog', async () => {
    await bench.call('PATCH', '/v1/account', { key, body: { services: { netflix: 'gb' } } });
    bench.services = bench.services.slice(1);
    const both = { services: { netflix: 'gb', hulu: 'off' } };
    expect((await bench.call('PATCH', '/v1/account', { key, body: both })).statusCode).toBe(200);
    const other = { services: { netflix: 'us' } };
    expect((await bench.call('PATCH', '/v1/account', { key, body: other })).statusCode).toBe(400);
  });

  test('exports everything that is stored, and erases it', async () => {
    await bench.call('POST', '/v1/registrations', { key });
    const reply = await bench.call('GET', '/v1/account/export', { key });
    expect(reply.headers['content-disposition']).toBe('attachment; filename="dns-settings.json"');
    const held = reply.json();
    expect(held.registrations).toHaveLength(1);
    expect((await bench.call('DELETE', '/v1/account', { key })).statusCode).toBe(204);
    expect((await bench.call('GET', '/v1/account', { key })).statusCode).toBe(401);
    expect((await bench.call('GET', `/v1/accounts/${held.account.id}`, { key: ADMIN_KEY })).statusCode).toBe(
      404,
    );
  });
});
