/** A home whose address changes: the names that still resolve, and the ways to register the new address. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { answer, byName, FakeUpstream, refuse } from '../support/fake-upstream.ts';
import { clockAhead, FILMS, RELAY, RunningService, until } from '../support/service.ts';

const OLD = '127.0.0.31';
const NEW = '127.0.0.32';
const STRANGER = '127.0.0.33';
const API = 'dns.operator.example';
const HOSTNAME = 'home.ddns.example';

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

const config = () => ({
  upstreams: [upstream.url],
  dns: { bootstrapNames: ['update.operator.example'], testZone: 'check.operator.example' },
  control: { publicUrl: `https://${API}`, addresses: ['127.0.0.80', '2001:db8::80'] },
});

/** Answers A with these addresses and AAAA with NODATA. */
const at = (...addresses: string[]) =>
  byName({
    [HOSTNAME]: (query, replier) => {
      const answers = addresses.map((data) => ({ type: 'A' as const, name: query.name, ttl: 5, data }));
      answer({ answers: query.type === 'A' ? answers : [] })(query, replier);
    },
  });

describe('an address that is not registered', () => {
  let service: RunningService;
  beforeAll(async () => {
    service = await RunningService.start({ config: config() });
  });

  test.each([API, 'update.operator.example'])(
    'resolves %s over UDP and TCP, and nothing else',
    async (name) => {
      for (const ask of [askUdp, askTcp]) {
        const { udp, tcp } = service;
        const to = ask === askUdp ? udp : tcp;
        expect(shown(await ask(to, STRANGER, { name }))).toBe('NOERROR 192.0.2.1');
        expect(shown(await ask(to, STRANGER, { name: `x.${name}` }))).toBe('REFUSED');
        expect(shown(await ask(to, STRANGER, { name: FILMS }))).toBe('REFUSED');
      }
      const asked = upstream.queries.filter((query) => query.name.toLowerCase() === name);
      expect(asked.length, 'the cache answers the rest').toBeLessThanOrEqual(2);
      expect(await service.metrics()).toMatch(/queries_total\{transport="udp",verdict="bootstrap"\} [1-9]/);
    },
  );

  test("sees by the self-test's names that it asks us, and whether it is registered", async () => {
    const ask = (name: string) => askUdp(service.udp, STRANGER, { name: `${name}.check.operator.example` });
    expect(shown(await ask('a1.reached'))).toBe('NOERROR 127.0.0.80');
    expect(shown(await ask('a2.registered'))).toBe('NXDOMAIN');
    const before = upstream.queries.length;
    await service.household([STRANGER]);
    expect(shown(await ask('a3.registered'))).toBe('NOERROR 127.0.0.80');
    expect(upstream.queries.length, 'nobody else is asked').toBe(before);
  });
});

describe('a DDNS name', () => {
  test('registers its addresses, moves with them, and keeps them while its servers fail', async () => {
    upstream.udp = at(OLD);
    let service = await RunningService.start({ config: config() });
    const { folder } = service;
    const { secret } = await service.household([]);
    const own = () => service.as(secret);
    const addresses = async () =>
      (await own().call('GET', '/v1/registrations')).body.registrations.map(
        ({ address }: { address: string }) => address,
      );
    const state = async () => (await own().call('GET', '/v1/hostnames')).body.hostnames[0].state;
    const films = async (from: string) => shown(await askUdp(service.udp, from, { name: FILMS }));

    const { id } = await service.as(secret, OLD).make('/v1/hostnames', { hostname: HOSTNAME });
    await until(async () => (await addresses()).length === 1, 'the name is looked up');
    expect([await addresses(), await state()]).toEqual([[OLD], 'followed']);
    expect(await films(OLD)).toBe(`NOERROR ${RELAY.us.address}`);

    const nextDay = async (days: number): Promise<void> => {
      await service.stop();
      service = await RunningService.start({ folder, env: clockAhead(days) });
    };
    upstream.udp = at(NEW);
    await nextDay(1);
    await until(async () => (await addresses())[0] === NEW, 'the name has moved');
    expect([await films(OLD), await films(NEW)]).toEqual(['REFUSED', `NOERROR ${RELAY.us.address}`]);

    upstream.udp = refuse(2);
    await nextDay(2);
    await until(async () => (await state()) === 'failing', 'the look-up has failed');
    expect(await addresses()).toEqual([NEW]);

    await own().call('DELETE', `/v1/hostnames/${id}`);
    expect([await addresses(), await films(NEW)]).toEqual([[], 'REFUSED']);
    expect(service.output).not.toMatch(/ddns\.example|127\.0\.0\.3[12]/);
    await service.stop();
  });
});
