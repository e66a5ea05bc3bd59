/** Metrics, health and readiness of a running service. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askTcp, askUdp, encodeQuery, TcpClient, UdpClient } from '../support/dns-client.ts';
import { answer, FakeUpstream, refuse } from '../support/fake-upstream.ts';
import { FILMS, RunningService, until } from '../support/service.ts';

/** Samples of an exposition: `name{labels}` to number. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** Our samples (without process-wide ones) that have grown. */
function risen(before: Map<string, number>, after: Map<string, number>): Record<string, number> {
  const changes = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const);
  const counted =
    /^mediastreamer_(queries|answers|cache_lookups|control_requests|control_auth|connections_t)/;
  return Object.fromEntries(changes.filter(([name, by]) => by !== 0 && counted.test(name)));
}

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

describe.each(['mmsg', 'dgram'])('metrics of a service with %s', (engine) => {
  const HOME = '127.0.5.1';
  let service: RunningService;
  beforeAll(async () => {
    service = await RunningService.start({ config: { dns: { engine }, upstreams: [upstream.url] } });
    await service.household([HOME]);
  });
  afterAll(() => service.stop());

  const read = async () => samples(await service.metrics());
  /** Counters may lag the reply: waits until `deed` shows. */
  async function counts(deed: () => Promise<unknown>, expected: Record<string, number>): Promise<void> {
    const before = await read();
    await deed();
    const enough = Object.values(expected).reduce((sum, count) => sum + count, 0);
    let found: Record<string, number> = {};
    await until(
      async () => {
        found = risen(before, await read());
        return Object.values(found).reduce((sum, count) => sum + count, 0) >= enough;
      },
      `counters rise: ${JSON.stringify(expected)}`,
    );
    const named = Object.entries(expected).map(([name, count]) => [`mediastreamer_${name}`, count]);
    expect(found).toEqual(Object.fromEntries(named));
  }
  const query = (verdict: string, transport = 'udp') =>
    `queries_total{transport="${transport}",verdict="${verdict}"}`;
  const reply = (rcode: string, transport = 'udp') =>
    `answers_total{transport="${transport}",rcode="${rcode}"}`;
  const udp = (name: string, from = HOME) => askUdp(service.udp, from, { name });

  it('count a query by its verdict and a reply by its rcode', async () => {
    await counts(() => udp(FILMS), { [query('steered')]: 1, [reply('noerror')]: 1 });
    await counts(() => udp(FILMS, '127.0.5.2'), { [query('refused')]: 1, [reply('refused')]: 1 });
    await counts(() => udp('localhost'), { [query('local')]: 1, [reply('noerror')]: 1 });
    await counts(() => udp('x.onion'), { [query('negative_local')]: 1, [reply('nxdomain')]: 1 });
    await counts(() => udp(`${engine}.example`), {
      [query('resolved')]: 1,
      [reply('noerror')]: 1,
      'cache_lookups_total{result="miss"}': 1,
    });
    await counts(() => udp(`${engine}.example`), {
      [query('cached')]: 1,
      [reply('noerror')]: 1,
      'cache_lookups_total{result="hit"}': 1,
    });
  });

  it('count malformed queries', async () => {
    const client = await UdpClient.open(HOME);
    const notOne = encodeQuery({ name: FILMS });
    notOne.writeUInt16BE(2, 4);
    await counts(async () => client.send(service.udp, notOne), {
      [query('formerr')]: 1,
      [reply('formerr')]: 1,
    });
    const notImplemented = encodeQuery({ name: FILMS });
    notImplemented[2] |= 4 << 3;
    await counts(async () => client.send(service.udp, notImplemented), {
      [query('notimp')]: 1,
      [reply('notimp')]: 1,
    });
    await counts(async () => client.send(service.udp, Buffer.from('short')), { [query('dropped')]: 1 });
    client.close();
  });

  it('count failures of the upstreams', async () => {
    upstream.udp = refuse(2);
    upstream.tcp = refuse(2);
    const before = await read();
    await udp('failing.example');
    const name = 'mediastreamer_upstream_queries_total';
    await until(async () => ((await read()).get(name) ?? 0) > (before.get(name) ?? 0), 'they are counted');
    const after = await read();
    const rise = (sample: string) =>
      (after.get(`mediastreamer_${sample}`) ?? 0) - (before.get(`mediastreamer_${sample}`) ?? 0);
    expect(rise(query('servfail'))).toBe(1);
    expect(rise(reply('servfail'))).toBe(1);
    upstream.udp = answer();
    upstream.tcp = answer();
  });

  it('count TCP separately, and open connections', async () => {
    const open = 'mediastreamer_connections_open{transport="tcp"}';
    await until(async () => (await read()).get(open) === 0, 'no connection is open');
    await counts(() => askTcp(service.tcp, HOME, { name: FILMS }), {
      [query('steered', 'tcp')]: 1,
      [reply('noerror', 'tcp')]: 1,
      'connections_total{transport="tcp"}': 1,
    });
    await until(async () => (await read()).get(open) === 0, 'the connection is closed');
    const client = await TcpClient.open(service.tcp, HOME);
    await client.ask({ name: FILMS });
    expect((await read()).get(open)).toBe(1);
    client.close();
    await until(async () => (await read()).get(open) === 0, 'the connection is closed');
  });

  it('count calls of the API by route and status class, and wrong keys', async () => {
    const { secret, id } = await service.household();
    const own = service.as(secret, HOME);
    const call = (route: string, status: string) =>
      `control_requests_total{route="${route}",status="${status}"}`;
    await counts(() => own.call('GET', '/v1/account'), { [call('/v1/account', '2xx')]: 1 });
    await counts(() => service.admin.call('GET', `/v1/accounts/${id}`), {
      [call('/v1/accounts/:id', '2xx')]: 1,
    });
    await counts(() => service.as('wrong').call('GET', '/v1/account'), {
      [call('/v1/account', '4xx')]: 1,
      control_auth_failures_total: 1,
    });
    await counts(() => own.call('GET', `/some/${id}`), { [call('other', '4xx')]: 1 });
  });

  it('show the number of registered addresses, and no lag', async () => {
    const entries = async () => (await read()).get('mediastreamer_allowlist_entries');
    const before = await entries();
    const { id } = await service.household(['127.0.5.10', '127.0.5.11']);
    expect(await entries()).toBe(before! + 2);
    await service.admin.call('DELETE', `/v1/accounts/${id}`);
    expect(await entries()).toBe(before);
    const now = await read();
    expect(now.get('mediastreamer_allowlist_lag_changes')).toBe(0);
    expect(now.get('mediastreamer_store_up')).toBe(1);
    expect(now.get('mediastreamer_hostnames_due')).toBe(0);
  });

  it('have closed sets of labels: no traffic creates a new series', async () => {
    const series = async () =>
      [...(await read()).keys()].filter((name) => name.startsWith('mediastreamer_')).toSorted();
    const before = await series();
    const client = await UdpClient.open('127.0.5.77');
    for (let index = 0; index < 50; index++)
      client.send(service.udp, encodeQuery({ name: `${index}.example` }));
    for (const path of ['/never/seen', '/v1/accounts/none', '/v1/registrations/none?x=y'])
      await service.admin.call('GET', path);
    await udp('any.example');
    expect(await series()).toEqual(before);
    client.close();
  });
});

describe('health', () => {
  it('answers /healthz and /readyz with the state of each part', async () => {
    const service = await RunningService.start();
    const health = await fetch(`${service.metricsUrl}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, 'ok']);
    const ready = await fetch(`${service.metricsUrl}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([
      200,
      {
        ready: true,
        checks: [
          { name: 'clock', ready: true, state: 'trusted' },
          { name: 'store', ready: true, state: 'up' },
          { name: 'allowlist', ready: true, state: 'following' },
          { name: 'shield', ready: true },
          { name: 'upstreams', ready: true, state: 'up' },
          { name: 'edge', ready: true, state: 'serving' },
          { name: 'self', ready: true },
          { name: 'threads', ready: true, state: 'moving' },
        ],
      },
    ]);
    expect((await fetch(`${service.metricsUrl}/v1/ip`)).status).toBe(404);
    expect((await fetch(`${service.controlUrl}/metrics`)).status).toBe(404);
    await service.stop();
  });
});
