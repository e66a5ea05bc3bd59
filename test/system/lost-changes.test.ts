/** A subscriber that changes its choices without end cannot make other homes' changes get lost. */
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askUdp, shown } from '../support/dns-client.ts';
import { FakeUpstream } from '../support/fake-upstream.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  temporaryFolder,
  writeConfig,
  writeServiceFile,
} from '../support/service.ts';

const FLOOD_MS = 4_000;
const CONNECTIONS = 24;
const SERVICES = Array.from({ length: 20 }, (_, index) => `svc${index}`);

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
});
afterAll(() => upstream.stop());

async function start(): Promise<RunningService> {
  const folder = temporaryFolder();
  writeConfig(folder, { upstreams: [upstream.url] });
  for (const service of SERVICES) {
    writeServiceFile(folder, {
      service,
      title: service,
      regions: ['us', 'gb'],
      names: [`${service}.example`],
    });
  }
  return RunningService.start({ folder });
}

/** The choices of round `index`: in base 3, a digit means absent, gb or off. */
function choices(index: number): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (let digit = 0, rest = index; rest > 0; digit++, rest = Math.floor(rest / 3)) {
    if (rest % 3 > 0) chosen[SERVICES[digit]] = rest % 3 === 1 ? 'gb' : 'off';
  }
  return chosen;
}

/** Changes an account's choices as fast as it may. @returns how many calls were answered 200 */
async function flood(service: RunningService, secret: string): Promise<number> {
  const agent = new Agent({ connections: CONNECTIONS });
  const untilMs = performance.now() + FLOOD_MS;
  let next = 1;
  let done = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const reply = await request(`${service.controlUrl}/v1/account`, {
        method: 'PATCH',
        dispatcher: agent,
        headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
        body: JSON.stringify({ services: choices(next++) }),
      });
      await reply.body.dump();
      if (reply.statusCode === 200) done += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  await agent.close();
  return done;
}

it('applies the changes of honest homes during and after a flood of new profiles', async () => {
  const service = await start();
  const attacker = await service.household(['127.0.0.66', '127.0.0.67']);
  await service.household(['127.0.0.67', '::1']);
  const honest = await service.household(['127.0.0.31']);
  const fresh = await service.household();
  const flooding = flood(service, attacker.secret);

  await new Promise((resolve) => setTimeout(resolve, FLOOD_MS / 2));
  const account = service.as(honest.secret);
  expect((await account.call('PATCH', '/v1/account', { region: 'gb' })).status).toBe(200);
  expect(shown(await askUdp(service.udp, '127.0.0.31', { name: FILMS }))).toBe(`NOERROR ${RELAY.gb.address}`);
  const chosen = { svc3: 'gb', svc5: 'off' };
  expect((await service.as(fresh.secret).call('PATCH', '/v1/account', { services: chosen })).status).toBe(
    200,
  );
  const registered = await service.as(fresh.secret, '127.0.0.32').call('POST', '/v1/registrations', {});
  expect(registered.status).toBe(201);
  const asked = await askUdp(service.udp, '127.0.0.32', { name: 'svc3.example' });
  expect(shown(asked)).toBe(`NOERROR ${RELAY.gb.address}`);

  expect(await flooding).toBeGreaterThan(0);
  expect((await account.call('PATCH', '/v1/account', { region: 'us' })).status).toBe(200);
  expect(shown(await askUdp(service.udp, '127.0.0.31', { name: FILMS }))).toBe(`NOERROR ${RELAY.us.address}`);
  const removed = await account.call('DELETE', `/v1/registrations/${honest.registrations['127.0.0.31']}`);
  expect(removed.status).toBe(204);
  expect(shown(await askUdp(service.udp, '127.0.0.31', { name: FILMS }))).toBe('REFUSED');

  expect(await service.metrics()).toContain('mediastreamer_allowlist_unapplied_changes 0');
  expect((await fetch(`${service.metricsUrl}/readyz`)).status).toBe(200);
  expect(service.stdout).not.toContain('allowlist change not applied');
  await service.stop();
});
