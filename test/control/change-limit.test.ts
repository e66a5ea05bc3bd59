import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';

let bench: ControlBench;
let account: { id: string; secret: string };
let honest: { id: string; secret: string };
beforeEach(async () => {
  bench = await ControlBench.make();
  account = await bench.account();
  honest = await bench.account();
});

const patch = (key: string, region: string) => bench.call('PATCH', '/v1/account', { key, body: { region } });

describe('changes of an account', () => {
  test('past 300 a minute answer 429, and another account notices nothing (H2)', async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 1000; index += 1) {
      statuses.push((await patch(account.secret, index % 2 === 0 ? 'gb' : 'us')).statusCode);
      if (index % 250 === 0) expect((await patch(honest.secret, 'gb')).statusCode).toBe(200);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(300);
    expect(statuses.slice(300).every((status) => status === 429)).toBe(true);
  });

  test('tell how many are left, and when to come back', async () => {
    const first = await patch(account.secret, 'gb');
    expect([first.headers['ratelimit-policy'], first.headers['ratelimit']]).toEqual([
      '"changes";q=300;w=60',
      '"changes";r=299;t=60',
    ]);
    for (let index = 1; index < 300; index += 1) await patch(account.secret, 'us');
    bench.clock.nowMs += 20_500;
    const refused = await patch(account.secret, 'gb');
    expect([refused.statusCode, refused.json().code]).toEqual([429, 'too_many_changes']);
    expect([refused.headers['retry-after'], refused.headers['ratelimit']]).toEqual([
      '40',
      '"changes";r=0;t=40',
    ]);
    bench.clock.nowMs += 40_000;
    expect((await patch(account.secret, 'gb')).statusCode).toBe(200);
  });

  test.each([
    ['POST', '/v1/registrations', {}],
    ['DELETE', '/v1/registrations/x', undefined],
    ['POST', '/v1/update-tokens', { label: 'x' }],
    ['DELETE', '/v1/update-tokens/x', undefined],
    ['POST', '/v1/hostnames', { hostname: 'home.example.net' }],
    ['DELETE', '/v1/hostnames/x', undefined],
    ['POST', '/v1/tickets', {}],
    ['POST', '/v1/session', null],
    ['POST', '/v1/accounts/ID/secret', {}],
    ['DELETE', '/v1/account', undefined],
  ] as const)('count every call that writes: %s %s', async (method, path, body) => {
    bench = await ControlBench.make({ changes: { changes: 1 } });
    account = await bench.account();
    expect((await patch(account.secret, 'gb')).statusCode).toBe(200);
    const reply = await bench.call(method, path.replace('ID', account.id), {
      ...(body === null ? { body: { secret: account.secret } } : { key: account.secret }),
      ...(body == null ? {} : { body }),
    });
    expect([reply.statusCode, reply.json().code]).toEqual([429, 'too_many_changes']);
  });

  test('do not include reading, nor calls of the operator', async () => {
    bench = await ControlBench.make({ changes: { changes: 1 } });
    account = await bench.account();
    await patch(account.secret, 'gb');
    const own = await bench.call('GET', '/v1/account', { key: account.secret });
    expect([own.statusCode, own.headers['ratelimit']]).toEqual([200, undefined]);
    for (let index = 0; index < 5; index += 1) {
      const path = `/v1/accounts/${account.id}`;
      const body = { region: index % 2 === 0 ? 'us' : 'gb' };
      expect((await bench.call('PATCH', path, { key: ADMIN_KEY, body })).statusCode).toBe(200);
    }
  });
});
