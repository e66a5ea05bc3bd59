import { beforeEach, describe, expect, test } from 'vitest';
import { ControlBench } from '../support/control.ts';

let bench: ControlBench;
beforeEach(async () => {
  bench = await ControlBench.make();
});

const ip = (from: string, forwarded?: string, headers = {}) =>
  bench.call('GET', '/v1/ip', {
    from,
    headers: forwarded === undefined ? headers : { ...headers, 'x-forwarded-for': forwarded },
  });

describe("the caller's address", () => {
  test.each([
    ['198.51.99.7', '198.51.99.7'],
    ['::ffff:198.51.99.7', '198.51.99.7'],
    ['2A00:1:2:3:0:0:0:1', '2a00:1:2:3::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ])("is the socket's: %s", async (from, address) => {
    expect((await ip(from)).json()).toEqual({ address });
  });

  test('ignores forwarding headers of a peer that is not a trusted proxy', async () => {
    const headers = { forwarded: 'for=1.1.1.1', 'x-real-ip': '1.1.1.1', 'x-forwarded-proto': 'https' };
    for (const forwarded of ['1.1.1.1', 'rubbish', '10.0.0.1, 1.1.1.1']) {
      expect((await ip('198.51.99.7', forwarded, headers)).json()).toEqual({ address: '198.51.99.7' });
    }
  });

  test.each([
    ['1.1.1.1', '1.1.1.1'],
    ['9.9.9.9, 1.1.1.1', '1.1.1.1'],
    ['rubbish, 1.1.1.1', '1.1.1.1'],
    ['1.1.1.1, 10.1.2.3,10.9.9.9', '1.1.1.1'],
    ['1.1.1.1,\tfd00::7', '1.1.1.1'],
    ['1.1.1.1:567', '1.1.1.1'],
    ['1.1.1.1:65535', '1.1.1.1'],
    ['[2a00::1]:5', '2a00::1'],
    ['[2a00::1]', '2a00::1'],
    ['2a00::1', '2a00::1'],
    ['::ffff:1.1.1.1', '1.1.1.1'],
    ['10.0.0.8, 10.0.0.9', '10.0.0.8'],
  ])('behind a trusted proxy is the right-most untrusted element of %j', async (forwarded, address) => {
    expect((await ip('10.0.0.1', forwarded)).json()).toEqual({ address });
  });

  test('is the proxy if it sends no header', async () => {
    expect((await ip('10.0.0.1')).json()).toEqual({ address: '10.0.0.1' });
  });

  test.each([
    'unknown',
    '',
    '1.1.1.1,',
    '1.1.1',
    '1.1.1.1:port',
    '1.1.1.1:65536',
    '5.6.7.8:99999',
    '[2a00::1]:65536',
    '[1.1.1.1',
    '_hidden',
    'rubbish, 10.0.0.2',
  ])('is refused if a trusted proxy sends %j', async (forwarded) => {
    const reply = await ip('10.0.0.1', forwarded);
    expect([reply.statusCode, reply.json().code]).toEqual([400, 'bad_forwarded_for']);
  });

  test('joins several header fields into one list', async () => {
    const reply = await bench.call('GET', '/v1/ip', {
      from: '10.0.0.1',
      headers: { 'x-forwarded-for': ['1.1.1.1', '2.2.2.2'] },
    });
    expect(reply.json()).toEqual({ address: '2.2.2.2' });
  });

  test('calls that do not need it ignore a malformed header', async () => {
    const reply = await bench.call('GET', '/openapi.json', {
      from: '10.0.0.1',
      headers: { 'x-forwarded-for': 'x' },
    });
    expect(reply.statusCode).toBe(200);
  });
});
