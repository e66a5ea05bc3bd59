/** Attacks on another home's address by a host name, each beside an honest home. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { clockAhead, FILMS, RELAY, RunningService, until } from '../support/service.ts';

const VICTIM = '127.0.0.50';
const THIEF = '127.0.0.66';
const HONEST = '127.0.0.77';
const HONEST_LATER = '127.0.0.78';
const STEERED = `NOERROR ${RELAY.us.address}`;

let upstream: FakeUpstream;
/** The A records of evil.example and home.example. */
let names: Record<string, string>;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());
beforeEach(() => {
  names = { 'evil.example': VICTIM, 'home.example': HONEST };
  upstream.udp = (query, replier) => {
    const data = names[query.name.toLowerCase()];
    const answers =
      query.type === 'A'
        ? [{ type: 'A' as const, name: query.name, ttl: 1, data: data ?? '203.0.113.77' }]
        : [];
    answer({ answers })(query, replier);
  };
});

const start = (options: object = {}) =>
  RunningService.start({ config: { upstreams: [upstream.url] }, ...options });
const films = async (service: RunningService, from: string) =>
  shown(await askUdp(service.udp, from, { name: FILMS }));

test('a name that points at another home is not followed; one that points at the caller is', async () => {
  const service = await start();
  const victim = await service.household([VICTIM]);
  const thief = await service.household([THIEF], { region: 'gb' });
  const honest = await service.household([]);
  await service.as(thief.secret, THIEF).call('PATCH', '/v1/account', { services: { films: 'off' } });

  const reply = await service
    .as(thief.secret, THIEF)
    .call('POST', '/v1/hostnames', { hostname: 'evil.example' });
  expect([reply.status, reply.body.code]).toEqual([422, 'hostname_not_yours']);
  expect((await service.as(thief.secret).call('GET', '/v1/hostnames')).body.hostnames).toEqual([]);
  expect(await films(service, VICTIM)).toBe(STEERED);

  const own = service.as(honest.secret, HONEST);
  await own.make('/v1/hostnames', { hostname: 'home.example' });
  expect(await films(service, HONEST), 'at once').toBe(STEERED);
  expect((await own.call('GET', '/v1/registrations')).body.registrations).toMatchObject([
    { address: HONEST, source: 'hostname', evidence: 'seen' },
  ]);
  expect((await own.call('GET', '/v1/account/export')).body.registrations[0].evidence).toBe('seen');
  expect((await service.as(victim.secret).call('GET', '/v1/registrations')).body.registrations).toHaveLength(
    1,
  );
  await service.stop();
});

describe('a name that moves to another home', () => {
  /** The thief follows evil.example while it points at the thief; a day later it points at the victim. */
  async function moved(): Promise<{
    service: RunningService;
    victim: { id: string; secret: string };
    thief: string;
    honest: string;
  }> {
    names = { 'evil.example': THIEF, 'home.example': HONEST };
    let service = await start();
    const { folder } = service;
    const victim = await service.household([VICTIM]);
    const thief = await service.household([THIEF], { region: 'gb' });
    const honest = await service.household([]);
    await service.as(thief.secret, THIEF).make('/v1/hostnames', { hostname: 'evil.example' });
    await service.as(honest.secret, HONEST).make('/v1/hostnames', { hostname: 'home.example' });
    names = { 'evil.example': VICTIM, 'home.example': HONEST_LATER };
    await service.stop();
    service = await start({ folder, config: undefined, env: clockAhead(1) });
    const told = async (secret: string, address: string) =>
      (await service.as(secret).call('GET', '/v1/registrations')).body.registrations.some(
        (one: Record<string, string>) => one['address'] === address && one['evidence'] === 'told',
      );
    await until(() => told(thief.secret, VICTIM), "the thief's name has moved");
    await until(() => told(honest.secret, HONEST_LATER), "the honest home's name has moved");
    return { service, victim, thief: thief.secret, honest: honest.secret };
  }

  test('changes neither region, services nor families of that home, and does not keep its address open', async () => {
    const { service, victim, thief, honest } = await moved();
    expect(await films(service, VICTIM)).toBe(STEERED);
    await service.as(thief, THIEF).call('PATCH', '/v1/account', { region: 'gb', services: { films: 'off' } });
    expect(await films(service, VICTIM)).toBe(STEERED);
    expect(shown(await askUdp(service.udp, VICTIM, { name: FILMS, type: 'AAAA' }))).toBe('NOERROR');

    expect(await films(service, HONEST_LATER), 'the honest home that moved is served').toBe(STEERED);
    expect(await films(service, HONEST)).toBe('REFUSED');
    expect(shown(await askTcp(service.tcp, HONEST_LATER, { name: FILMS }))).toBe(STEERED);

    const { body } = await service.as(victim.secret).call('GET', '/v1/registrations');
    await service.admin.call('DELETE', `/v1/accounts/${victim.id}/registrations/${body.registrations[0].id}`);
    expect(await films(service, VICTIM), 'given up').toBe('REFUSED');
    await service.as(victim.secret, VICTIM).make('/v1/registrations');
    expect(await films(service, VICTIM), 'registered again').toBe(STEERED);
    await service.admin.call('DELETE', `/v1/accounts/${victim.id}`);
    expect(await films(service, VICTIM), 'erased').toBe('REFUSED');
    await service.as(honest, HONEST_LATER).make('/v1/registrations');
    expect((await service.as(honest).call('GET', '/v1/registrations')).body.registrations).toMatchObject([
      { address: HONEST_LATER, evidence: 'seen' },
    ]);
    await service.stop();
  });
});

test('the operator may register an address as told', async () => {
  const service = await start();
  const { id } = await service.household();
  const path = `/v1/accounts/${id}/registrations`;
  expect(await service.admin.make(path, { address: HONEST, evidence: 'told' })).toMatchObject({
    evidence: 'told',
  });
  expect(await service.admin.make(path, { address: VICTIM })).toMatchObject({ evidence: 'seen' });
  const reply = await service.admin.call('POST', path, { address: VICTIM, evidence: 'sure' });
  expect([reply.status, reply.body.errors[0].field]).toEqual([400, 'evidence']);
  await service.stop();
});
