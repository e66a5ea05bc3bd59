/**
 * A relay behind proxies in common use: curl through it, its metrics, its readiness, and no password shown.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { type RunningProxy, startMicrosocks, startTinyproxy } from '../support/proxies.ts';
import { FILMS, RunningService, until } from '../support/service.ts';

const run = promisify(execFile);
const HOME = '127.0.6.9';
const USER = 'relay';
const PASSWORD = 'hunter2hunter2';

let upstream: FakeUpstream;
let origin: Server;

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'A' ? [{ type: 'A' as const, name: query.name, ttl: 60, data: '127.0.0.1' }] : [];
    answer({ answers })(query, replier);
  };
  origin = createServer((request, response) => response.end(`origin of ${request.headers.host}`));
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
});
afterAll(async () => {
  origin.close();
  await upstream.stop();
});

interface Relayed {
  readonly service: RunningService;
  fetch(): Promise<string>;
  /** The relay's part of /readyz. */
  readiness(): Promise<Record<string, unknown> & { status: number }>;
}

async function start(egress: unknown): Promise<Relayed> {
  const service = await RunningService.start({
    env: { PROXY_PASSWORD: PASSWORD },
    config: {
      roles: ['control', 'edge', 'relay'],
      upstreams: [upstream.url],
      regions: { us: { relays: [{ address: '127.0.0.1' }] } },
      relay: {
        http: ['127.0.0.1:0'],
        allowPrivateOrigins: true,
        region: 'us',
        egress,
        originPort: (origin.address() as AddressInfo).port,
        drainSeconds: 0,
      },
    },
  });
  await service.household([HOME]);
  const ready = (await service.logged('ready')) as unknown as { relay: { http: string[] } };
  const way = ['--connect-to', `${FILMS}::${ready.relay.http[0]}`, '--interface', HOME, '--max-time', '10'];
  return {
    service,
    async fetch() {
      const { stdout } = await run('curl', ['-sS', ...way, `http://${FILMS}/`]);
      return stdout;
    },
    async readiness() {
      const reply = await fetch(`${service.metricsUrl}/readyz`);
      const { checks } = (await reply.json()) as { checks: { name: string }[] };
      return { ...checks.find(({ name }) => name === 'relay'), status: reply.status };
    },
  };
}

function attempts({ port }: RunningProxy, scheme: string, outcome: string): RegExp {
  const labels = `region="us",index="\\d",proxy="${scheme}://127.0.0.1:${port}",outcome="${outcome}"`;
  return new RegExp(`relay_egress_attempts_total{${labels}} [1-9]`);
}

it('uses a pool of SOCKS5 and CONNECT proxies, and what is left of it', async () => {
  const socks = await startMicrosocks(USER, PASSWORD);
  const http = await startTinyproxy(USER, PASSWORD);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's, not JavaScript's
  const password = '${PROXY_PASSWORD}';
  const relayed = await start([
    `socks5://${USER}:${password}@127.0.0.1:${socks.port}`,
    `http://${USER}:${password}@127.0.0.1:${http.port}`,
  ]);
  const { service } = relayed;
  expect(await relayed.readiness()).toMatchObject({
    state: 'serving',
    proxies: 2,
    proxiesUp: 2,
    status: 200,
  });
  for (let i = 0; i < 2; i++) expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  const metrics = await service.metrics();
  expect(metrics).toMatch(attempts(socks, 'socks5', 'connected'));
  expect(metrics).toMatch(attempts(http, 'http', 'connected'));
  expect(metrics).toMatch(/relay_egress_up{region="us",index="0",proxy="socks5:\/\/127.0.0.1:\d+"} 1/);

  socks.program.kill('SIGTERM');
  await socks.program.exited;
  for (let i = 0; i < 6; i++) expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  expect(await service.metrics()).toMatch(attempts(socks, 'socks5', 'unreachable'));
  const down = await service.logged('a proxy of relay.egress is down');
  expect(down).toMatchObject({ level: 'warn', proxy: `socks5://127.0.0.1:${socks.port}` });
  expect(await relayed.readiness()).toMatchObject({ state: 'serving', proxiesUp: 1, status: 200 });

  http.program.kill('SIGTERM');
  await http.program.exited;
  for (let i = 0; i < 3; i++) await relayed.fetch().catch(() => {});
  expect(await relayed.readiness()).toMatchObject({ ready: false, state: 'no_egress', status: 503 });
  const back = await startMicrosocks(USER, PASSWORD, socks.port);
  await until(async () => (await relayed.readiness()).status === 200, 'it is ready again');
  expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  back.program.kill('SIGTERM');

  expect(await service.stop()).toEqual({ code: 0, signal: null });
  const encoded = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  for (const secret of [PASSWORD, encoded, HOME, FILMS]) {
    expect(service.output).not.toContain(secret);
    expect(metrics).not.toContain(secret);
  }
});

it('is not ready if its localAddress is not an address of this machine', async () => {
  const { service, readiness } = await start({ localAddress: '192.0.2.77' });
  expect(await readiness()).toMatchObject({ state: 'no_egress', listeners: 1, status: 503 });
  await service.stop();
});

it('connects through other proxies after a reload, and never past them', async () => {
  const [first, second] = [await startMicrosocks(USER, PASSWORD), await startMicrosocks(USER, PASSWORD)];
  const url = ({ port }: RunningProxy, password = PASSWORD) =>
    `socks5://${USER}:${password}@127.0.0.1:${port}`;
  const relayed = await start(url(first));
  const { service } = relayed;
  let reloads = 0;
  const reload = async (egress: unknown): Promise<void> => {
    const file = join(service.folder, 'config.yaml');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...config, relay: { ...config.relay, egress } }));
    service.kill('SIGHUP');
    await service.logged('configuration and catalog read again', ++reloads);
  };
  expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  await reload(url(second));
  first.program.kill('SIGTERM');
  await first.program.exited;
  expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  expect(await service.metrics()).toMatch(attempts(second, 'socks5', 'connected'));
  // A password that the proxy does not take: nothing leaves past it.
  await reload(url(second, 'another'));
  await relayed.fetch().catch(() => {});
  expect(await relayed.readiness()).toMatchObject({ state: 'no_egress', status: 503 });
  await reload('direct');
  second.program.kill('SIGTERM');
  await second.program.exited;
  expect(await relayed.fetch()).toBe(`origin of ${FILMS}`);
  expect(await relayed.readiness()).toMatchObject({ state: 'serving', status: 200 });
  expect(service.lines.map(({ msg }) => msg)).not.toContain('changed, and taken at the next start only');
  expect(service.output).not.toContain(PASSWORD);
  await service.stop();
});
