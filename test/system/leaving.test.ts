/** An edge that is about to stop sends homes elsewhere first, and answers until it stops. */
import { expect, it } from 'vitest';
import { askTcp, askUdp, shown } from '../support/dns-client.ts';
import { FILMS, RELAY, RunningService, runProgram, until } from '../support/service.ts';

const HOME = '127.0.65.1';
const STEERED = `NOERROR ${RELAY.us.address}`;

async function readiness(service: RunningService): Promise<{ status: number; edge: unknown }> {
  const reply = await fetch(`${service.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as { checks: { name: string }[] };
  return { status: reply.status, edge: checks.find(({ name }) => name === 'edge') };
}

const edgeCommand = (service: RunningService, action: string) =>
  runProgram(['edge', action, '--config', `${service.folder}/config.yaml`]);

it('is not ready from edge drain to edge undrain, and answers all the while', async () => {
  const service = await RunningService.start();
  await service.household([HOME]);
  expect(await readiness(service)).toEqual({
    status: 200,
    edge: { name: 'edge', ready: true, state: 'serving' },
  });

  expect(await edgeCommand(service, 'drain')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching('503'),
  });
  expect(await readiness(service)).toEqual({
    status: 503,
    edge: { name: 'edge', ready: false, state: 'draining' },
  });
  expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
  expect(shown(await askTcp(service.tcp, HOME, { name: FILMS }))).toBe(STEERED);

  expect(await edgeCommand(service, 'undrain')).toMatchObject({ code: 0 });
  expect(await readiness(service)).toMatchObject({ status: 200 });
  await service.stop();
  expect(await edgeCommand(service, 'drain')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching('no edge'),
  });
});

it('answers for dns.lameDuckSeconds after SIGTERM, until a second one', async () => {
  const service = await RunningService.start({ config: { dns: { lameDuckSeconds: 3600 } } });
  await service.household([HOME]);
  service.kill('SIGTERM');
  await until(async () => (await readiness(service)).status === 503, 'the edge is not ready');
  expect(await readiness(service)).toMatchObject({ edge: { ready: false, state: 'stopping' } });
  expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
  expect(shown(await askTcp(service.tcp, HOME, { name: FILMS }))).toBe(STEERED);
  expect((await fetch(`${service.controlUrl}/v1/ip`)).status).toBe(200);

  service.kill('SIGTERM');
  expect(await service.exited).toEqual({ code: 0, signal: null });
  expect(service.lines.map(({ msg }) => msg)).toContain('stopped');
});

it('stops at once after dns.lameDuckSeconds', async () => {
  const service = await RunningService.start({ config: { dns: { lameDuckSeconds: 1 } } });
  service.kill('SIGTERM');
  expect(await service.exited).toEqual({ code: 0, signal: null });
});
