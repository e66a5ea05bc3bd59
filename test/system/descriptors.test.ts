/** A small limit of open files: idle connections do not take the descriptors that upstream queries and the API need. */
import net from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import { FILMS, RELAY, RunningService } from '../support/service.ts';

const HOME = '127.0.3.1';
const CROWD = '127.0.3.2';
const CONNECTIONS = 150;

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

const limitedTo = (nofile: number) => ['sh', '-c', `ulimit -n ${nofile}; exec "$@"`, 'sh'];

function hold(service: RunningService, count: number): net.Socket[] {
  const { host, port } = service.tcp;
  return Array.from({ length: count }, () => {
    const socket = net.connect({ host, port, localAddress: CROWD });
    socket.on('error', () => {});
    return socket;
  });
}

it.each(['mmsg', 'dgram'])(
  '150 idle TCP connections of one home leave UDP and the API to others: %s',
  async (engine) => {
    const service = await RunningService.start({
      config: { upstreams: [upstream.url], dns: { engine } },
      wrapper: limitedTo(100),
    });
    const warned = service.lines.find(({ msg }) =>
      String(msg).startsWith('the limit of open files is below'),
    );
    expect(warned).toMatchObject({ level: 'warn', nofile: 100, needed: expect.any(Number) });
    await service.household([HOME, CROWD]);
    const sockets = hold(service, CONNECTIONS);
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (let index = 0; index < 20; index++) {
      const reply = await askUdp(service.udp, HOME, { name: `fresh-${index}.example` });
      expect(shown(reply)).toBe('NOERROR 192.0.2.1');
    }
    expect((await service.admin.call('GET', '/v1/accounts')).status).toBe(200);
    expect((await fetch(`${service.metricsUrl}/readyz`)).status).toBe(200);
    await service.stop();
  },
);

it('says nothing where the limit suffices', async () => {
  const service = await RunningService.start({ config: { upstreams: [upstream.url] } });
  await service.household([HOME]);
  expect(shown(await askTcp(service.tcp, HOME, { name: FILMS }))).toBe(`NOERROR ${RELAY.us.address}`);
  await service.stop();
  expect(service.stdout).not.toContain('open files');
});
