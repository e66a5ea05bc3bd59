import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

const EDGE_KEY = 'key-of-the-edges';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const PATH = '/v1/private-names';

let disk: DiskRegistry;
let bench: ControlBench;
let key: string;
beforeAll(async () => {
  disk = await openDiskRegistry();
});
afterAll(() => disk.close());
beforeEach(async () => {
  const privateNames = { domain: 'dns.example.net', edgeKey: EDGE_KEY };
  bench = await ControlBench.make({ registry: disk.registry, privateNames }, disk.clock);
  key = (await bench.account({ perAccount: 3 })).secret;
});

const make = async (body: object = { label: 'Living room' }) =>
  (await bench.call('POST', PATH, { key, body })).json();
const tokenOf = ({ dot }: { dot: string }) => dot.split('.')[0]!;
const claim = async (token: string, address: string) =>
  (await bench.call('POST', `${PATH}/claims`, { key: EDGE_KEY, body: { token, address } })).json().outcome;
const list = async () => (await bench.call('GET', PATH, { key })).json().privateNames;
const addresses = async () =>
  (await bench.call('GET', '/v1/registrations', { key }))
    .json()
    .registrations.map((one: { address: string }) => one.address);

describe('private names', () => {
  test('are shown once, in the forms that devices take', async () => {
    const reply = await bench.call('POST', PATH, { key, body: { label: 'Living room' } });
    expect(reply.statusCode).toBe(201);
    const made = reply.json();
    expect(reply.headers['location']).toBe(`${PATH}/${made.id}`);
    expect(made).toMatchObject({ label: 'Living room', homeOnly: true, addresses: [] });
    expect(made.dot).toMatch(/^[a-z2-7]{26}\.dns\.example\.net$/);
    expect(made.doh).toBe(`https://dns.example.net/dns-query/${tokenOf(made)}`);
    const { dot: _dot, doh: _doh, ...kept } = made;
    expect(await list()).toEqual([kept]);
    const exported = (await bench.call('GET', '/v1/account/export', { key })).json();
    expect(exported.privateNames).toEqual([kept]);
    expect(JSON.stringify(exported)).not.toContain(tokenOf(made));
  });

  test('register the address of a query, in any case of their letters', async () => {
    const token = tokenOf(await make());
    expect(await claim(token.toUpperCase(), '198.51.99.1')).toBe('registered');
    expect(await claim(token, '2a00:1:2:3::4')).toBe('registered');
    expect(await addresses()).toEqual(['198.51.99.1', '2a00:1:2:3::/64']);
    expect((await list())[0].addresses).toEqual(['198.51.99.1', '2a00:1:2:3::/64']);
    const [held] = (await bench.call('GET', '/v1/registrations', { key })).json().registrations;
    expect(held).toMatchObject({ source: 'private-name', evidence: 'seen', label: 'Living room' });
  });

  test('stay at home for an hour of queries from elsewhere, and while the home asks', async () => {
    const token = tokenOf(await make());
    await claim(token, '198.51.99.1');
    const away = async (minutes: number) => {
      const outcomes = [];
      for (let minute = 0; minute <= minutes; minute += 10) {
        outcomes.push(await claim(token, '198.51.99.2'));
        disk.clock.nowMs += 10 * MINUTE_MS;
      }
      return outcomes;
    };
    expect(new Set(await away(50))).toEqual(new Set(['waiting']));
    expect(await claim(token, '198.51.99.1'), 'the home is still there').toBe('registered');
    expect(new Set(await away(50))).toEqual(new Set(['waiting']));
    disk.clock.nowMs += HOUR_MS;
    expect(new Set(await away(50)), 'a pause ends the hour').toEqual(new Set(['waiting']));
    expect(await addresses()).toEqual(['198.51.99.1']);
    expect(await claim(token, '198.51.99.2')).toBe('registered');
    expect(await addresses()).toEqual(['198.51.99.2']);
  });

  test('move at once, but not to and fro, when they are not home-only', async () => {
    const made = await make({ label: 'Phone', homeOnly: false });
    const token = tokenOf(made);
    await claim(token, '198.51.99.1');
    disk.clock.nowMs += MINUTE_MS;
    expect(await claim(token, '198.51.99.2')).toBe('registered');
    expect(await claim(token, '198.51.99.3')).toBe('waiting');
    disk.clock.nowMs += MINUTE_MS;
    expect(await claim(token, '198.51.99.3')).toBe('registered');
    expect(await addresses()).toEqual(['198.51.99.3']);
    const changed = await bench.call('PATCH', `${PATH}/${made.id}`, { key, body: { homeOnly: true } });
    expect(changed.json()).toMatchObject({ homeOnly: true, addresses: ['198.51.99.3'] });
    disk.clock.nowMs += MINUTE_MS;
    expect(await claim(token, '198.51.99.4')).toBe('waiting');
  });

  test('never take the place of another registration', async () => {
    for (const address of ['198.51.99.7', '198.51.99.8', '198.51.99.9']) {
      await bench.call('POST', '/v1/registrations', { key, from: address });
    }
    expect(await claim(tokenOf(await make()), '198.51.99.1')).toBe('too_many_addresses');
    expect(await addresses()).toHaveLength(3);
  });

  test('get a new token, and end with what they registered', async () => {
    const made = await make();
    await claim(tokenOf(made), '198.51.99.1');
    const renewed = (await bench.call('POST', `${PATH}/${made.id}/token`, { key, body: {} })).json();
    expect(renewed.id).toBe(made.id);
    expect(await claim(tokenOf(made), '198.51.99.1')).toBe('unknown');
    expect(await claim(tokenOf(renewed), '198.51.99.1')).toBe('registered');
    const { secret: other } = await bench.account();
    const path = `${PATH}/${made.id}`;
    expect((await bench.call('DELETE', path, { key: other })).statusCode).toBe(404);
    expect((await bench.call('PATCH', path, { key: other, body: { homeOnly: false } })).statusCode).toBe(404);
    expect((await bench.call('POST', `${path}/token`, { key: other, body: {} })).statusCode).toBe(404);
    expect((await bench.call('DELETE', path, { key })).statusCode).toBe(204);
    expect(await addresses()).toEqual([]);
    expect(await claim(tokenOf(renewed), '198.51.99.1')).toBe('unknown');
  });

  test('are 20 an account, and a repeated call makes one', async () => {
    const headers = { 'idempotency-key': 'one' };
    const twice = await Promise.all(
      [1, 2].map(() => bench.call('POST', PATH, { key, body: { label: 'TV' }, headers })),
    );
    expect(new Set(twice.map((reply) => reply.json().id)).size).toBe(1);
    for (let made = 1; made < 20; made++) await make();
    const reply = await bench.call('POST', PATH, { key, body: { label: 'One more' } });
    expect([reply.statusCode, reply.json().code]).toEqual([409, 'too_many_private_names']);
  });

  test.each([
    ['a guess', 'a'.repeat(26), '198.51.99.1'],
    ['text that holds no token', '../../etc/passwd', '198.51.99.1'],
    ['an address that may not be registered', '', '10.0.0.1'],
  ])('%s is unknown', async (_title, token, address) => {
    expect(await claim(token || tokenOf(await make()), address)).toBe('unknown');
  });

  test('are claimed with the key of edges only, which opens nothing else', async () => {
    const body = { token: tokenOf(await make()), address: '198.51.99.1' };
    for (const wrong of [undefined, key, ADMIN_KEY, 'guess']) {
      const options = wrong === undefined ? { body } : { key: wrong, body };
      expect((await bench.call('POST', `${PATH}/claims`, options)).statusCode).toBe(401);
    }
    for (const path of ['/v1/accounts', PATH, '/v1/account', '/v1/registrations']) {
      expect((await bench.call('GET', path, { key: EDGE_KEY })).statusCode, path).toBe(401);
    }
    expect(await addresses()).toEqual([]);
  });

  test('cannot be made where the installation has none', async () => {
    const plain = await ControlBench.make({ registry: disk.registry }, disk.clock);
    const reply = await plain.call('POST', PATH, { key, body: { label: 'TV' } });
    expect([reply.statusCode, reply.json().code]).toEqual([409, 'private_names_off']);
  });
});
