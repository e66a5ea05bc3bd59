import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';

let bench: ControlBench;
beforeEach(async () => {
  bench = await ControlBench.make({ familyUrls: { ipv4: null, ipv6: 'https://v6.dns.example.net' } });
});

describe('Host', () => {
  test.each([
    'dns.example.net',
    'DNS.Example.Net.',
    'dns.example.net:8443',
    'v6.dns.example.net',
    'localhost',
    'localhost:8080',
    '127.0.0.1',
    '127.0.0.1:8080',
    '[::1]:8080',
    '203.0.113.5',
  ])('%s is accepted', async (host) => {
    expect((await bench.call('GET', '/v1/ip', { headers: { host } })).statusCode).toBe(200);
  });

  test.each([
    'evil.example',
    'dns.example.net.evil.example',
    'xdns.example.net',
    '127.0.0.1.evil.example',
    'a b',
  ])('%j is refused', async (host) => {
    const reply = await bench.call('GET', '/v1/ip', { headers: { host } });
    expect([reply.statusCode, reply.json().code]).toEqual([421, 'foreign_host']);
    expect(reply.body).not.toContain('evil');
  });
});

describe('Origin', () => {
  const create = (origin: string, host = 'dns.example.net') =>
    bench.call('POST', '/v1/accounts', { key: ADMIN_KEY, headers: { origin, host } });

  test.each([
    ['https://dns.example.net', 'dns.example.net'],
    ['https://v6.dns.example.net', 'dns.example.net'],
    ['http://127.0.0.1:8080', '127.0.0.1:8080'],
    ['https://localhost:8080', 'localhost:8080'],
  ])('%s is accepted at %s', async (origin, host) => {
    expect((await create(origin, host)).statusCode).toBe(201);
  });

  test.each([
    'https://evil.example',
    'null',
    '',
    'https://dns.example.net.evil.example',
    'https://dns.example.net:444',
  ])('%j is refused before anything changes', async (origin) => {
    const reply = await create(origin);
    expect([reply.statusCode, reply.json().code]).toEqual([403, 'foreign_origin']);
    expect((await bench.call('GET', '/v1/accounts', { key: ADMIN_KEY })).json().accounts).toEqual([]);
  });

  test('no reply allows pages of other sites to read it', async () => {
    const replies = [
      await bench.call('OPTIONS', '/v1/registrations', {
        headers: { 'access-control-request-method': 'POST' },
      }),
      await create('https://dns.example.net'),
      await bench.call('GET', '/v1/ip'),
    ];
    for (const reply of replies) {
      expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
    expect(replies[0]!.statusCode).toBe(405);
  });
});

describe('form content types', () => {
  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data; boundary=x',
    'text/json',
    'x',
  ])('a body of type %s is refused and changes nothing', async (type) => {
    const { secret } = await bench.account();
    for (const payload of ['{}', '', 'label=x']) {
      const reply = await bench.control.app.inject({
        method: 'POST',
        url: '/v1/registrations',
        headers: { authorization: `Bearer ${secret}`, 'content-type': type },
        payload,
      });
      expect([reply.statusCode, reply.json().code]).toEqual([415, 'unsupported_media_type']);
    }
    const { registrations } = (await bench.call('GET', '/v1/registrations', { key: secret })).json();
    expect(registrations).toEqual([]);
  });

  test('application/json may name a charset', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    const reply = await bench.call('POST', '/v1/accounts', { key: ADMIN_KEY, headers, body: {} });
    expect(reply.statusCode).toBe(201);
  });
});
