import { expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';
import { openDiskRegistry } from '../support/disk-registry.ts';

const DAY_MS = 86_400_000;

test('accounts that nobody uses are listed before they are erased, unless they are kept', async () => {
  const disk = await openDiskRegistry({ lapsedDays: 400 });
  disk.clock.nowMs = Date.UTC(2026, 0, 1);
  const bench = await ControlBench.make({ registry: disk.registry }, disk.clock);
  const [used, idle, kept] = [await bench.account(), await bench.account(), await bench.account()];
  const admin = { key: ADMIN_KEY };
  await bench.call('PATCH', `/v1/accounts/${kept.id}`, { ...admin, body: { keep: true } });
  const listed = async () => (await bench.call('GET', '/v1/lapsing-accounts', admin)).json().accounts;
  expect(await listed()).toEqual([]);

  disk.clock.nowMs += 380 * DAY_MS;
  await bench.call('POST', '/v1/registrations', { key: used.secret });
  expect(await disk.registry.eraseLapsed()).toBe(0);
  expect(await listed()).toMatchObject([{ account: { id: idle.id }, erasesAt: '2027-02-15T00:00:00.000Z' }]);
  const refused = await bench.call('GET', '/v1/lapsing-accounts', { key: used.secret });
  expect([refused.statusCode, refused.json().code]).toEqual([403, 'forbidden']);

  disk.clock.nowMs += 30 * DAY_MS;
  expect(await disk.registry.eraseLapsed()).toBe(1);
  expect(await listed()).toEqual([]);
  const { accounts } = (await bench.call('GET', '/v1/accounts', admin)).json();
  expect(accounts.map(({ id }: { id: string }) => id).sort()).toEqual([used.id, kept.id].sort());
  await disk.close();
});
