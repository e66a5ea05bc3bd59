/** The main job from outside: a registered device gets a relay's address, everyone else is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askTcp, askUdp, dig, shown, TcpClient } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { clockAhead, FILMS, RELAY, RunningService, SERIES, until } from '../support/service.ts';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

/** Unique names, so that no test sees another's cache. */
let names = 0;
const otherName = () => `other-${++names}.example.com`;

describe.each(['mmsg', 'dgram'])('by the engine %s', (engine) => {
  let service: RunningService;
  beforeAll(async () => {
    service = await RunningService.start({ config: { dns: { engine }, upstreams: [upstream.url] } });
    expect(service.engine).toBe(engine);
  });
  afterAll(async () => {
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.stderr).toBe('');
  });

  const steered = (relay: string) => `NOERROR ${relay}`;
  /** Answers to A of a catalog name over UDP and TCP. */
  const both = async (from: string, name = FILMS, type: 'A' | 'AAAA' = 'A') => [
    shown(await askUdp(from.includes(':') ? service.udp6 : service.udp, from, { name, type })),
    shown(await askTcp(from.includes(':') ? service.tcp6 : service.tcp, from, { name, type })),
  ];
  const twice = (text: string) => [text, text];

  it('gives a registered address a relay, and nobody else, as dig sees it', async () => {
    await service.household(['127.0.1.1']);
    for (const [to, ...more] of [[service.udp], [service.tcp, '+tcp']] as const) {
      expect(await dig(to, '127.0.1.1', ...more, FILMS)).toBe(steered(RELAY.us.address));
      expect(await dig(to, '127.0.1.1', ...more, `www.${FILMS}`)).toBe(steered(RELAY.us.address));
      expect(await dig(to, '127.0.1.2', ...more, FILMS)).toBe('REFUSED');
      expect(await dig(to, '127.0.1.2', ...more, otherName())).toBe('REFUSED');
      expect(await dig(to, '127.0.1.1', ...more, otherName())).toBe('NOERROR 192.0.2.1');
    }
  });

  it('asks the upstream for other names only, and once for a name', async () => {
    await service.household(['127.0.1.3']);
    const name = otherName();
    expect(await both('127.0.1.3', name)).toEqual(twice('NOERROR 192.0.2.1'));
    await both('127.0.1.3');
    const asked = upstream.queries.map((query) => `${query.name.toLowerCase()} ${query.type}`);
    expect(asked.filter((one) => one.startsWith(name))).toEqual([`${name} A`]);
    expect(asked.filter((one) => one.endsWith(`${FILMS} A`))).toEqual([]);
  });

  it('steers A and AAAA, gives NODATA for HTTPS and SVCB, and asks upstream for TXT', async () => {
    await service.household(['127.0.1.4']);
    const status = async (type: string) => dig(service.udp, '127.0.1.4', `www.${FILMS}`, type);
    expect(await status('HTTPS')).toBe('NOERROR');
    expect(await status('SVCB')).toBe('NOERROR');
    expect(await status('AAAA')).toBe('NOERROR');
    expect(await status('TXT')).toBe('NOERROR "text"');
  });

  it('takes an address away for the next query, on an open TCP connection too', async () => {
    const { secret, registrations } = await service.household(['127.0.1.5']);
    const connection = await TcpClient.open(service.tcp, '127.0.1.5');
    expect(shown(await connection.ask({ name: FILMS }))).toBe(steered(RELAY.us.address));
    const own = service.as(secret, '127.0.1.5');
    const gone = await own.call('DELETE', `/v1/registrations/${registrations['127.0.1.5']}`);
    expect(gone.status).toBe(204);
    expect(shown(await connection.ask({ name: FILMS }))).toBe('REFUSED');
    expect(shown(await connection.ask({ name: otherName() }))).toBe('REFUSED');
    expect(await both('127.0.1.5')).toEqual(twice('REFUSED'));
    await own.make('/v1/registrations');
    expect(shown(await connection.ask({ name: FILMS }))).toBe(steered(RELAY.us.address));
    expect(await both('127.0.1.5')).toEqual(twice(steered(RELAY.us.address)));
    connection.close();
  });

  it('gives each family its relay only where the account has an address of that family', async () => {
    const { secret, registrations } = await service.household(['::1']);
    expect(await both('::1', FILMS, 'AAAA')).toEqual(twice(steered(RELAY.us.address6)));
    expect(await both('::1', FILMS, 'A')).toEqual(twice('NOERROR'));
    await service.as(secret, '127.0.1.6').make('/v1/registrations');
    expect(await both('::1', FILMS, 'A')).toEqual(twice(steered(RELAY.us.address)));
    expect(await both('127.0.1.6', FILMS, 'AAAA')).toEqual(twice(steered(RELAY.us.address6)));
    await service.as(secret, '::1').call('DELETE', `/v1/registrations/${registrations['::1']}`);
    expect(await both('::1', FILMS, 'AAAA')).toEqual(twice('REFUSED'));
    expect(await both('127.0.1.6', FILMS, 'AAAA')).toEqual(twice('NOERROR'));
    expect(await both('127.0.1.6', FILMS, 'A')).toEqual(twice(steered(RELAY.us.address)));
  });

  it('follows a change of region with the next query, for all services or for one', async () => {
    const { id, secret } = await service.household(['127.0.1.7']);
    const own = service.as(secret, '127.0.1.7');
    const relays = async () => [...(await both('127.0.1.7')), ...(await both('127.0.1.7', SERIES))];
    const [us, gb] = [steered(RELAY.us.address), steered(RELAY.gb.address)];
    expect(await relays()).toEqual([us, us, us, us]);
    expect((await own.call('PATCH', '/v1/account', { region: 'gb' })).status).toBe(200);
    expect(await relays()).toEqual([gb, gb, gb, gb]);
    expect((await own.call('PATCH', '/v1/account', { services: { series: 'us' } })).status).toBe(200);
    expect(await relays()).toEqual([gb, gb, us, us]);
    expect((await own.call('PATCH', '/v1/account', { services: { series: 'off' } })).status).toBe(200);
    expect(await relays()).toEqual([gb, gb, 'NOERROR 192.0.2.1', 'NOERROR 192.0.2.1']);
    expect((await service.admin.call('PATCH', `/v1/accounts/${id}`, { region: 'us' })).status).toBe(200);
    expect((await own.call('PATCH', '/v1/account', { services: {} })).status).toBe(200);
    expect(await relays()).toEqual([us, us, us, us]);
  });

  it('refuses a suspended account, and takes it back', async () => {
    const { id } = await service.household(['127.0.1.8']);
    const suspend = (suspended: boolean) => service.admin.call('PATCH', `/v1/accounts/${id}`, { suspended });
    expect((await suspend(true)).status).toBe(200);
    expect(await both('127.0.1.8')).toEqual(twice('REFUSED'));
    expect((await suspend(false)).status).toBe(200);
    expect(await both('127.0.1.8')).toEqual(twice(steered(RELAY.us.address)));
  });

  it('keeps an address that two accounts have until the last one gives it up', async () => {
    const one = await service.household(['127.0.1.9']);
    const other = await service.household(['127.0.1.9']);
    const giveUp = ({ id, registrations }: typeof one) =>
      service.admin.call('DELETE', `/v1/accounts/${id}/registrations/${registrations['127.0.1.9']}`);
    expect((await giveUp(one)).status).toBe(204);
    expect(await both('127.0.1.9')).toEqual(twice(steered(RELAY.us.address)));
    expect((await giveUp(other)).status).toBe(204);
    expect(await both('127.0.1.9')).toEqual(twice('REFUSED'));
  });

  it('erases an account with its addresses and its secret', async () => {
    const { id, secret } = await service.household(['127.0.1.10', '127.0.1.11']);
    const own = service.as(secret, '127.0.1.10');
    expect((await own.call('DELETE', '/v1/account')).status).toBe(204);
    expect(await both('127.0.1.10')).toEqual(twice('REFUSED'));
    expect(await both('127.0.1.11')).toEqual(twice('REFUSED'));
    expect((await own.call('GET', '/v1/account')).status).toBe(401);
    expect((await service.admin.call('GET', `/v1/accounts/${id}`)).status).toBe(404);
    const all = await service.admin.call('GET', '/v1/accounts?limit=1000');
    expect(all.text).not.toContain(id);
  });

  it('tells a caller its own address, and registers no other one for it', async () => {
    const { secret } = await service.household();
    const own = service.as(secret, '127.0.1.12');
    expect((await own.call('GET', '/v1/ip')).body).toEqual({ address: '127.0.1.12' });
    const other = await own.call('POST', '/v1/registrations', { address: '127.0.1.13' });
    expect([other.status, other.body.code]).toEqual([403, 'address_not_yours']);
    const forwarded = { 'x-forwarded-for': '127.0.1.13' };
    expect((await own.call('POST', '/v1/registrations', {}, forwarded)).body.address).toBe('127.0.1.12');
    expect(await both('127.0.1.13')).toEqual(twice('REFUSED'));
  });

  it('has accounts and registrations still there after a stop and a start', async () => {
    const { secret } = await service.household(['127.0.1.14'], { region: 'gb' });
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    service = await RunningService.start({ folder: service.folder });
    expect(await both('127.0.1.14')).toEqual(twice(steered(RELAY.gb.address)));
    expect(await both('127.0.1.2')).toEqual(twice('REFUSED'));
    const held = await service.as(secret, '127.0.1.14').call('GET', '/v1/registrations');
    expect(held.body.registrations).toMatchObject([{ address: '127.0.1.14', source: 'api' }]);
    expect(service.lines.filter(({ msg }) => msg === 'first start')).toEqual([]);
  });
});

it('ends a lease 90 days after its last renewal', async () => {
  const start = (folder: string, days: number) => RunningService.start({ folder, env: clockAhead(days) });
  const answers = async (service: RunningService) => [
    shown(await askUdp(service.udp, '127.0.2.1', { name: FILMS })),
    shown(await askUdp(service.udp, '127.0.2.2', { name: FILMS })),
  ];
  const relay = `NOERROR ${RELAY.us.address}`;
  const first = await RunningService.start();
  const { secret } = await first.household(['127.0.2.1', '127.0.2.2']);
  await first.stop();

  const second = await start(first.folder, 60);
  expect(await answers(second)).toEqual([relay, relay]);
  const renewed = await second.as(secret, '127.0.2.2').call('POST', '/v1/registrations', {});
  expect(renewed.status).toBe(200);
  await second.stop();

  const third = await start(first.folder, 91);
  await until(async () => (await answers(third))[0] === 'REFUSED', 'the lease has ended');
  expect(await answers(third)).toEqual(['REFUSED', relay]);
  const held = await third.as(secret, '127.0.2.2').call('GET', '/v1/registrations');
  expect(held.body.registrations).toMatchObject([{ address: '127.0.2.2' }]);
  await third.stop();
});
