import { beforeEach, describe, expect, test } from 'vitest';
import { describeError } from '../../src/control/error-log.ts';
import { PROBLEMS } from '../../src/control/problem.ts';
import { StoreCorruptError, StoreUnavailableError, TooManyProfilesError } from '../../src/registry/index.ts';
import { ADMIN_KEY, ControlBench, HOME } from '../support/control.ts';

let bench: ControlBench;
beforeEach(async () => {
  bench = await ControlBench.make();
});

const post = (payload: string | Buffer, headers = {}) =>
  bench.control.app.inject({
    method: 'POST',
    url: '/v1/accounts',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json', ...headers },
    payload,
  });

describe('a problem', () => {
  test('has the members of RFC 9457 and a code', async () => {
    const reply = await bench.call('GET', '/nothing');
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.json()).toEqual({
      type: 'urn:mediastreamer:problem:not_found',
      title: PROBLEMS.not_found.title,
      status: 404,
      code: 'not_found',
    });
  });

  test.each([
    ['GET', '/nothing', 404, 'not_found'],
    ['POST', '/v1/account/', 404, 'not_found'],
    ['GET', '/v1/accounts/%zz', 400, 'bad_request'],
    ['GET', `/v1/accounts/${'x'.repeat(129)}`, 414, 'uri_too_long'],
    ['PUT', '/v1/account', 405, 'method_not_allowed'],
    ['GET', '/v1/registrations/some', 405, 'method_not_allowed'],
    ['POST', '/v1/ip', 405, 'method_not_allowed'],
    ['OPTIONS', '/v1/ip', 405, 'method_not_allowed'],
    ['GET', '/v1/ip?x=1', 400, 'bad_input'],
    ['GET', '/openapi.json?x=1', 400, 'bad_input'],
  ] as const)('%s %s answers %d %s', async (method, url, status, code) => {
    const reply = await bench.call(method, url);
    expect([reply.statusCode, reply.json().code]).toEqual([status, code]);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.headers['x-content-type-options']).toBe('nosniff');
  });

  test('405 lists the supported methods', async () => {
    expect((await bench.call('PUT', '/v1/accounts')).headers.allow).toBe('GET, HEAD, POST');
    expect((await bench.call('GET', '/v1/registrations/some')).headers.allow).toBe('DELETE, PATCH');
  });

  test.each(['{', 'nothing', '{"a":1}x', '\ufeff{', '{"__proto__":{}}', '"', '[1,]'])(
    '%j is not JSON',
    async (text) => {
      const reply = await post(text);
      expect([reply.statusCode, reply.json().code]).toEqual([400, 'bad_json']);
      expect(reply.body).not.toContain('__proto__');
    },
  );

  test.each(['null', '1', '"x"', '[]', 'true'])('%s is not an object', async (text) => {
    const reply = await post(text);
    expect(reply.statusCode).toBe(400);
    expect(reply.json().errors).toEqual([{ field: 'body', expected: 'an object' }]);
  });

  test('a body of over 64 KiB answers 413', async () => {
    const reply = await post(JSON.stringify({ region: 'x'.repeat(65_536) }));
    expect([reply.statusCode, reply.json().code]).toEqual([413, 'body_too_large']);
  });

  test('text in a body is not converted to numbers', async () => {
    const reply = await post('{"perAccount":"5"}');
    expect(reply.json().errors).toEqual([
      { field: 'perAccount', expected: 'a whole number from 1 to 10000' },
    ]);
  });

  test('unknown fields are named if they look like field names', async () => {
    const reply = await post('{"perAcount":5,"203.0.113.7":1,"ms_AbCdEfGhIjKlMnOpQrStUvWx":1}');
    expect(reply.json().errors).toEqual([
      { field: 'perAcount', expected: 'no such field; known fields: region, perAccount' },
      { field: 'body', expected: 'no such field; known fields: region, perAccount' },
    ]);
  });
});

describe('an unavailable store', () => {
  test.each([
    ['away', new StoreUnavailableError('198.51.99.7 is in here')],
    ['damaged', new StoreCorruptError('and here')],
  ])('(%s) answers 503 with Retry-After', async (_state, error) => {
    const { secret } = await bench.account();
    bench.registry.fail = error;
    for (const [method, url] of [
      ['GET', '/v1/registrations'],
      ['POST', '/v1/registrations'],
      ['DELETE', '/v1/account'],
    ] as const) {
      const reply = await bench.call(method, url, { key: secret });
      expect([reply.statusCode, reply.json().code]).toEqual([503, 'store_unavailable']);
      expect(reply.headers['retry-after']).toBe('2');
    }
    expect(JSON.stringify(bench.lines)).not.toContain('here');
  });

  test('running out of profile ids answers 503 with its own code', async () => {
    bench.registry.fail = new TooManyProfilesError('65534 of them');
    const reply = await bench.call('POST', '/v1/accounts', { key: ADMIN_KEY });
    expect([reply.statusCode, reply.json().code]).toEqual([503, 'too_many_profiles']);
  });
});

describe('an internal error', () => {
  test('answers 500 and logs its place without its message, once a second', async () => {
    const { secret } = await bench.account();
    class BrokenError extends Error {
      override name = 'BrokenError';
      readonly code = 'err_broken';
    }
    bench.registry.fail = new BrokenError(`${secret} at ${HOME}\n    at x (/${HOME}/x.ts:1:1)`);
    for (let index = 0; index < 3; index += 1) {
      const reply = await bench.call('GET', '/v1/registrations', { key: secret });
      expect([reply.statusCode, reply.json().code]).toEqual([500, 'internal']);
      expect(reply.json().detail).toBeUndefined();
    }
    bench.clock.nowMs += 1000;
    await bench.call('DELETE', '/v1/registrations/some-id', { key: secret });
    expect(bench.lines).toEqual([
      {
        message: 'API call failed',
        errorName: 'BrokenError',
        code: 'err_broken',
        method: 'GET',
        route: '/v1/registrations',
        suppressed: 0,
        stack: expect.arrayContaining([expect.stringMatching(/^problems\.test\.ts:\d+:\d+$/)]),
      },
      expect.objectContaining({ method: 'DELETE', route: '/v1/registrations/:id', suppressed: 2 }),
    ]);
    expect(JSON.stringify(bench.lines)).not.toMatch(/198\.51|ms_secret|some-id/);
  });

  test('is described without its values, whatever was thrown', () => {
    const odd = Object.assign(new Error('x'), { name: '203.0.113.7', code: '203.0.113.7', stack: 7 });
    expect(describeError(odd)).toEqual({ errorName: 'Error', code: null, stack: [] });
    const changed = new Error('\n    at x (/203.0.113.7/203.ts:1:1)');
    changed.message = 'another';
    for (const thrown of [changed, '203.0.113.7', null, undefined, 7, { message: '203.0.113.7' }]) {
      expect(JSON.stringify(describeError(thrown))).not.toContain('203');
    }
  });
});

describe('every reply', () => {
  test('is not cached and loads nothing', async () => {
    for (const url of ['/v1/ip', '/nothing', '/openapi.json', '/v1/account', '/v1/accounts/%zz']) {
      expect((await bench.call('GET', url)).headers).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=31536000',
        'x-content-type-options': 'nosniff',
      });
    }
  });

  test('sends HSTS only if publicUrl is https', async () => {
    bench = await ControlBench.make({ publicUrl: 'http://127.0.0.1:8080' });
    const { headers } = await bench.call('GET', '/v1/ip');
    expect(headers['strict-transport-security']).toBeUndefined();
  });

  test('to HEAD has the headers of GET', async () => {
    const reply = await bench.call('HEAD', '/v1/ip');
    expect([reply.statusCode, reply.body]).toEqual([200, '']);
  });
});
