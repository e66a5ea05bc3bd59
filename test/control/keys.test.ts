import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { Counter } from '../../src/metrics/index.ts';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';

let bench: ControlBench;
beforeEach(async () => {
  bench = await ControlBench.make();
});

const bearer = (authorization: string) => bench.call('GET', '/v1/accounts', { headers: { authorization } });

describe('keys', () => {
  test('the scheme is case-insensitive', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer  ']) {
      expect((await bearer(`${scheme} ${ADMIN_KEY}`)).statusCode).toBe(200);
    }
  });

  test('every admin key is valid until it is taken away', async () => {
    const digest = (key: string) => createHash('sha256').update(key).digest();
    const keys = ['first-key', 'second-key'];
    bench = await ControlBench.make({ adminKeys: () => keys.map(digest) });
    const statuses = async () => {
      const replies = await Promise.all(
        ['first-key', 'second-key', 'third-key'].map((key) => bearer(`Bearer ${key}`)),
      );
      return replies.map(({ statusCode }) => statusCode);
    };
    expect(await statuses()).toEqual([200, 200, 401]);
    keys.shift();
    keys.push('third-key');
    expect(await statuses()).toEqual([401, 200, 200]);
  });

  test('a missing key, an empty one, another scheme and a wrong key get the same 401', async () => {
    const missing = await bench.call('GET', '/v1/accounts');
    expect(missing.statusCode).toBe(401);
    expect(missing.headers['www-authenticate']).toBe('Bearer realm="mediastreamer"');
    expect(missing.json().code).toBe('unauthorized');
    const wrong = [
      '',
      'Bearer',
      'Bearer ',
      `Basic ${ADMIN_KEY}`,
      `Bearer ${ADMIN_KEY}x`,
      `Bearer ${'x'.repeat(300)}`,
    ];
    for (const authorization of wrong) {
      const reply = await bearer(authorization);
      expect([reply.statusCode, reply.body]).toEqual([401, missing.body]);
    }
  });

  test('an unknown and an ended secret get the same answer after the same look-up', async () => {
    const { id, secret } = await bench.account();
    await bench.call('DELETE', `/v1/accounts/${id}`, { key: ADMIN_KEY });
    bench.registry.asked.length = 0;
    const ended = await bench.call('GET', '/v1/account', { key: secret });
    const unknown = await bench.call('GET', '/v1/account', { key: 'x' });
    expect([ended.statusCode, ended.body]).toEqual([unknown.statusCode, unknown.body]);
    expect(bench.registry.asked).toEqual([secret, 'x']);
  });

  test("an account's secret is refused on the operator's calls, and the admin key on an account's", async () => {
    const { id, secret } = await bench.account();
    const calls = [
      ['GET', '/v1/accounts', secret, 'admin key'],
      ['DELETE', `/v1/accounts/${id}`, secret, 'admin key'],
      ['GET', `/v1/accounts/${id}/registrations`, secret, 'admin key'],
      ['GET', '/v1/account', ADMIN_KEY, "account's secret"],
      ['POST', '/v1/registrations', ADMIN_KEY, "account's secret"],
      ['DELETE', '/v1/account', ADMIN_KEY, "account's secret"],
    ] as const;
    for (const [method, url, key, expected] of calls) {
      const reply = await bench.call(method, url, { key });
      expect([reply.statusCode, reply.json().code]).toEqual([403, 'forbidden']);
      expect(reply.json().detail).toContain(expected);
    }
    expect((await bench.call('GET', '/v1/account', { key: secret })).statusCode).toBe(200);
  });

  test('the body is not read before the key is accepted', async () => {
    const reply = await bench.control.app.inject({
      method: 'POST',
      url: '/v1/accounts',
      headers: { 'content-type': 'application/json' },
      payload: '{broken',
    });
    expect(reply.statusCode).toBe(401);
  });

  test('the API does not start without an admin key', async () => {
    await expect(ControlBench.make({ adminKeys: () => [] })).rejects.toThrow(RangeError);
  });

  test('failures are counted', async () => {
    const counted: number[] = [];
    bench = await ControlBench.make({ counters: { increment: (index) => counted.push(index) } });
    await bench.call('GET', '/v1/account', { key: 'x' });
    expect(counted).toContain(Counter.CONTROL_AUTH_FAILURES);
    expect(counted).toHaveLength(2);
  });
});

describe('guessing', () => {
  const guess = (from: string) => bench.call('GET', '/v1/account', { key: 'x', from });

  test('gets 429 after ten wrong keys a minute, and a right key still passes', async () => {
    const { secret } = await bench.account();
    for (let index = 0; index < 10; index += 1) expect((await guess('198.51.99.66')).statusCode).toBe(401);
    bench.clock.nowMs += 20_000;
    const reply = await guess('198.51.99.66');
    expect([reply.statusCode, reply.json().code]).toEqual([429, 'too_many_attempts']);
    expect(reply.headers['retry-after']).toBe('40');
    expect((await bench.call('GET', '/v1/account', { key: secret, from: '198.51.99.66' })).statusCode).toBe(
      200,
    );
    expect((await guess('198.51.99.67')).statusCode).toBe(401);
    bench.clock.nowMs += 40_000;
    expect((await guess('198.51.99.66')).statusCode).toBe(401);
  });

  test('counts an IPv6 /64 as one source', async () => {
    for (let index = 0; index < 10; index += 1) await guess(`2a00:1:2:3::${index}`);
    expect((await guess('2a00:1:2:3:ffff::1')).statusCode).toBe(429);
    expect((await guess('2a00:1:2:4::1')).statusCode).toBe(401);
  });

  test('through a trusted proxy counts against the client, or against the proxy if its header is malformed', async () => {
    const proxied = (forwarded: string) =>
      bench.call('GET', '/v1/account', {
        key: 'x',
        from: '10.0.0.1',
        headers: { 'x-forwarded-for': forwarded },
      });
    for (let index = 0; index < 10; index += 1) await proxied('198.51.99.66');
    expect((await proxied('198.51.99.66')).statusCode).toBe(429);
    expect((await proxied('198.51.99.67')).statusCode).toBe(401);
    for (let index = 0; index < 10; index += 1) await proxied('rubbish');
    expect((await proxied('more rubbish')).statusCode).toBe(429);
  });

  test('a call without a key does not count as a guess', async () => {
    for (let index = 0; index < 20; index += 1) {
      expect((await bench.call('GET', '/v1/account')).statusCode).toBe(401);
    }
  });
});
