/** An edge without a working upstream says so, and a balancer can turn away from it. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeQuery, shown, UdpClient } from '../support/dns-client.ts';
import { RunningService, until } from '../support/service.ts';

const HOME = '127.0.64.1';

let upstream: dgram.Socket;
let isSilent = true;
let service: RunningService;
let client: UdpClient;

beforeAll(async () => {
  upstream = dgram.createSocket('udp4');
  // Refuses everything: a reply, whatever it says, proves that it lives.
  upstream.on('message', (query, peer) => {
    if (isSilent) return;
    const reply = Buffer.from(query);
    reply.set([0x81, 0x85], 2);
    upstream.send(reply, peer.port, peer.address);
  });
  upstream.bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  const url = `udp://127.0.0.1:${upstream.address().port}`;
  service = await RunningService.start({
    config: { upstreams: [url], readiness: { upstreamsDownSeconds: 1 } },
  });
  await service.household([HOME]);
  client = await UdpClient.open(HOME);
});

afterAll(async () => {
  client.close();
  await service.stop();
  upstream.close();
});

async function readiness(): Promise<{ status: number; state: string }> {
  const reply = await fetch(`${service.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as { checks: { name: string; state: string }[] };
  return { status: reply.status, state: checks.find(({ name }) => name === 'upstreams')!.state };
}

it('is ready until no upstream has worked for the configured time, and again with the first reply', async () => {
  expect(await readiness()).toEqual({ status: 200, state: 'up' });
  client.send(service.udp, encodeQuery({ name: 'www.example' }));
  await until(async () => (await readiness()).status === 503, 'the edge is not ready');
  expect(await readiness()).toEqual({ status: 503, state: 'down' });
  isSilent = false;
  await until(async () => (await readiness()).status === 200, 'the edge is ready again');
});

it('stays ready while an upstream refuses a name', async () => {
  expect(shown(await client.ask(service.udp, { name: 'refused.example' }))).toBe('SERVFAIL');
  expect(await readiness()).toEqual({ status: 200, state: 'up' });
  expect(await service.metrics()).toMatch(/mediastreamer_upstream_healthy{[^}]*} 1/);
});
