/** The real program on Redis: both roles in one process, two controls on one store, export and import. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askUdp, shown } from '../support/dns-client.ts';
import { RedisServer } from '../support/redis-server.ts';
import {
  FILMS,
  RELAY,
  RunningService,
  runProgram,
  temporaryFolder,
  until,
  writeConfig,
} from '../support/service.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start({ shipped: true });
});
afterAll(() => redis?.stop());

const STEERED = `NOERROR ${RELAY.us.address}`;
const answer = async (service: RunningService, from: string) =>
  shown(await askUdp(service.udp, from, { name: FILMS }));

it('a 2xx is effective in the same process at once, for registration and removal', async () => {
  const service = await RunningService.start({ config: { store: redis.url } });
  const { secret } = await service.household([]);
  for (let round = 0; round < 20; round++) {
    const from = `127.0.7.${round + 1}`;
    const { id } = await service.as(secret, from).make('/v1/registrations');
    expect(await answer(service, from)).toBe(STEERED);
    await service.as(secret, from).call('DELETE', `/v1/registrations/${id}`);
    expect(await answer(service, from)).toBe('REFUSED');
  }
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  expect(service.stderr).toBe('');
});

it('a second control has the same accounts, and one of both leads', async () => {
  const config = { store: redis.url };
  const [one, two] = [
    await RunningService.start({ config: { ...config, roles: ['control'] } }),
    await RunningService.start({ config }),
  ];
  const { id, secret } = await one.admin.make('/v1/accounts');
  await two.as(secret, '127.0.8.1').make('/v1/registrations');
  expect(await answer(two, '127.0.8.1')).toBe(STEERED);
  await one.as(secret, '127.0.8.2').make('/v1/registrations');
  await until(async () => (await answer(two, '127.0.8.2')) === STEERED, 'the other control is heard');
  expect((await one.admin.call('DELETE', `/v1/accounts/${id}`)).status).toBe(204);
  await until(async () => (await answer(two, '127.0.8.1')) === 'REFUSED', 'the deletion is heard');
  await one.stop();
  await two.stop();
});

it('a silent Redis gives 503 within 2 s, DNS continues, and a repeat is safe', async () => {
  const service = await RunningService.start({ config: { store: redis.url } });
  const { secret } = await service.household(['127.0.9.1']);
  await redis.signal('SIGSTOP');
  try {
    for (let call = 0; call < 3; call++) {
      const startedMs = performance.now();
      const reply = await service.as(secret, '127.0.9.2').call('POST', '/v1/registrations');
      expect(reply.status).toBe(503);
      expect(performance.now() - startedMs).toBeLessThan(2_000);
      expect(await answer(service, '127.0.9.1')).toBe(STEERED);
      expect(await answer(service, '127.0.9.2')).toBe('REFUSED');
    }
  } finally {
    await redis.signal('SIGCONT');
  }
  await until(
    async () => (await service.as(secret, '127.0.9.2').call('POST', '/v1/registrations')).status < 300,
    'the store is back',
  );
  expect(await answer(service, '127.0.9.2')).toBe(STEERED);
  const { body } = await service.as(secret).call('GET', '/v1/registrations');
  expect((body as { registrations: unknown[] }).registrations).toHaveLength(2);
  await service.stop();
});

it('accounts move from the embedded store to Redis by export and import', async () => {
  const embedded = await RunningService.start();
  const { secret } = await embedded.household(['127.0.10.1']);
  const folder = temporaryFolder();
  const file = join(folder, 'accounts.jsonl');
  const from = ['--config', join(embedded.folder, 'config.yaml'), '--file', file];
  const busy = await runProgram(['export', ...from]);
  expect(busy.code).toBe(1);
  expect(busy.stderr).toMatch(/another process is using it/);
  await embedded.stop();
  expect(await runProgram(['export', ...from])).toMatchObject({ code: 0, stdout: 'exported 1 accounts\n' });
  expect(readFileSync(file, 'utf8')).not.toContain(secret);

  const empty = await RedisServer.start({ shipped: true });
  const target = temporaryFolder();
  const config = writeConfig(target, { store: empty.url });
  const imported = await runProgram(['import', '--config', config, '--file', file]);
  expect(imported).toMatchObject({ code: 0, stdout: 'imported 1 accounts\n' });
  const service = await RunningService.start({ folder: target });
  expect(await answer(service, '127.0.10.1')).toBe(STEERED);
  expect((await service.as(secret, '127.0.10.1').call('GET', '/v1/registrations')).status).toBe(200);
  await service.stop();
  await empty.stop();
});
