import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ControlBench, HOME } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

/** The rows of DYNDNS2.md's table of clients. */
const CLIENTS = readFileSync(new URL('../../src/control/DYNDNS2.md', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, , request, , auth]) => /^`(GET|POST) /.test(request ?? '') && /^(first|401)$/.test(auth ?? ''))
  .map(([, client, request, userAgent, auth]) => {
    const [method, url, form] = request!.slice(1, -1).replace('NAME', 'home.example').split(' ');
    return {
      client: client!,
      method: method as 'GET' | 'POST',
      url: url!,
      form,
      userAgent: userAgent!,
      auth,
    };
  });

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

async function ask(method: 'GET' | 'POST', url: string, headers: Record<string, string>, form?: string) {
  const reply = await bench.control.app.inject({
    method,
    url,
    remoteAddress: HOME,
    headers: {
      ...headers,
      ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(form === undefined ? {} : { payload: form }),
  });
  return { reply, text: `${reply.statusCode} ${reply.body}` };
}

const basic = (password = token) => `Basic ${Buffer.from(`${account.id}:${password}`).toString('base64')}`;

async function labels(): Promise<string[]> {
  const { registrations } = (await bench.call('GET', '/v1/registrations', { key: account.secret })).json();
  return registrations.map(({ address, label }: Record<string, string>) => `${address} ${label}`);
}

test('the table names every family of clients', () => {
  for (const name of [
    'ddclient',
    'inadyn',
    'DD-WRT',
    'OpenWrt',
    'FRITZ!Box',
    'UniFi',
    'OPNsense',
    'pfSense',
    'RouterOS',
    'Synology',
  ]) {
    expect(CLIENTS.map(({ client }) => client).join(), name).toContain(name);
  }
});

describe.each(CLIENTS)('$client', ({ method, url, form, userAgent, auth }) => {
  test('registers, and renews', async () => {
    const target = url.replace(/\bIP\b/, HOME);
    const body = form?.replace(/\bIP\b/, HOME);
    const send = async (password?: string) => {
      if (auth === '401') {
        const { reply } = await ask(method, target, { 'user-agent': userAgent }, body);
        expect([reply.statusCode, reply.headers['www-authenticate']]).toEqual([
          401,
          expect.stringMatching(/^Basic /),
        ]);
      }
      const headers = { 'user-agent': userAgent, authorization: basic(password) };
      return (await ask(method, target, headers, body)).text;
    };
    expect(await send('msu_wrong')).toBe('401 badauth');
    expect(await labels()).toEqual([]);
    expect(await send()).toBe(`200 good ${HOME}`);
    expect(await send()).toBe(`200 nochg ${HOME}`);
    expect(await labels()).toEqual([`${HOME} home.example`]);
  });
});

describe('other spellings', () => {
  const headers = () => ({ 'user-agent': 'x', authorization: basic() });

  test.each([
    'host=home.example',
    'domain=home.example',
    `hostname=home.example&myipv4=${HOME}`,
    `hostname=home.example&ip=${HOME}`,
    `hostname=home.example&ipv4=${HOME}&ipv6=2a00:1450:1:2::9`,
  ])('%s', async (query) => {
    expect((await ask('GET', `/nic/update?${query}`, headers())).text).toBe(`200 good ${HOME}`);
  });

  test.each(['ip', 'ipv4', 'myipv4'])("another's public address as %s is refused", async (field) => {
    const { text } = await ask('GET', `/nic/update?hostname=home.example&${field}=198.51.99.66`, headers());
    expect(text).toBe('200 !yours');
    expect(await labels()).toEqual([]);
  });

  test('credentials in the query are none', async () => {
    const url = `/nic/update?hostname=home.example&username=${account.id}&password=${token}`;
    expect((await ask('GET', url, { 'user-agent': 'x' })).text).toBe('401 badauth');
    expect(await labels()).toEqual([]);
  });
});

describe('a form', () => {
  test('of a page of another site is refused', async () => {
    const headers = { 'user-agent': 'x', authorization: basic(), origin: 'https://evil.example' };
    const { reply } = await ask('POST', '/nic/update', headers, 'hostname=home.example');
    expect(reply.statusCode).toBe(403);
    expect(await labels()).toEqual([]);
  });

  test('of more than 8 KiB is refused, and no other call takes one', async () => {
    const headers = { 'user-agent': 'x', authorization: basic() };
    const long = `hostname=${'a'.repeat(9000)}`;
    expect((await ask('POST', '/nic/update', headers, long)).reply.statusCode).toBe(413);
    const json = { 'user-agent': 'x', authorization: `Bearer ${account.secret}` };
    expect((await ask('POST', '/v1/registrations', json, 'label=x')).reply.statusCode).toBe(415);
  });
});
