/** Leases that end while the process is off. */
import { expect, it } from 'vitest';
import { askUdp, shown } from '../support/dns-client.ts';
import { RedisServer } from '../support/redis-server.ts';
import { clockAhead, FILMS, RELAY, RunningService } from '../support/service.ts';

const HOME = '127.0.8.9';
const answer = async (service: RunningService) => shown(await askUdp(service.udp, HOME, { name: FILMS }));

async function entries(service: RunningService): Promise<number> {
  const reply = await fetch(`${service.metricsUrl}/readyz`);
  const { checks } = (await reply.json()) as { checks: { name: string; entries: number }[] };
  return checks.find(({ name }) => name === 'allowlist')!.entries;
}

it('an address whose lease ended while the service was off is not served after the next start', async () => {
  const before = await RunningService.start();
  const { secret } = await before.household([]);
  await before.as(secret, HOME).make('/v1/registrations');
  expect(await answer(before)).toBe(`NOERROR ${RELAY.us.address}`);
  await before.stop();
  const after = await RunningService.start({ folder: before.folder, env: clockAhead(400) });
  expect(await answer(after)).toBe('REFUSED');
  expect(await entries(after)).toBe(0);
  const reply = await (await fetch(`${after.metricsUrl}/readyz`)).text();
  expect(reply, 'a digest tells which address made the difference').not.toContain('digest');
  await after.stop();
});

it('with Redis, it is removed soon after a control runs again', async () => {
  const redis = await RedisServer.start();
  try {
    const config = { store: redis.url };
    const before = await RunningService.start({ config });
    const { secret } = await before.household([]);
    await before.as(secret, HOME).make('/v1/registrations');
    await before.stop();
    const after = await RunningService.start({ config, folder: before.folder, env: clockAhead(400) });
    const deadline = Date.now() + 15_000;
    while ((await answer(after)) !== 'REFUSED') {
      if (Date.now() > deadline) throw new Error('the address is served on');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await after.stop();
  } finally {
    await redis.stop();
  }
});
