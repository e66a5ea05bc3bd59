/** An embedded store whose file cannot be written: what the API, /readyz, the metrics and the log say. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Api } from '../support/api.ts';
import {
  MAIN,
  NODE,
  Program,
  RunningService,
  temporaryFolder,
  until,
  writeConfig,
} from '../support/service.ts';

const MIB = 1 << 20;
const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0;

async function storeState(metricsUrl: string): Promise<[boolean, string, string | undefined]> {
  const { checks } = (await (await fetch(`${metricsUrl}/readyz`)).json()) as {
    checks: { name: string; ready: boolean; state: string }[];
  };
  const { ready, state } = checks.find(({ name }) => name === 'store')!;
  const metrics = await (await fetch(`${metricsUrl}/metrics`)).text();
  return [ready, state, /^mediastreamer_store_up (\d)/m.exec(metrics)?.[1]];
}

it.runIf(canMount)('a full disk shows everywhere, loses nothing, and passes by itself', async () => {
  const folder = temporaryFolder();
  const dataDir = join(folder, 'data');
  const file = writeConfig(folder, { dataDir });
  const mount = `mkdir -p ${dataDir} && mount -t tmpfs -o size=4m,mode=700 tmpfs ${dataDir} && echo $$ > ${folder}/pid`;
  const program = new Program('unshare', [
    ...['--mount', 'sh', '-c', `${mount} && exec ${NODE} ${MAIN} serve --config ${file}`],
  ]);
  onTestFinished(() => program.kill('SIGKILL'));
  const ready = (await program.logged('ready')) as unknown as { control: string[]; metrics: string[] };
  const pid = readFileSync(join(folder, 'pid'), 'utf8').trim();
  const seen = (name: string) => `/proc/${pid}/root${join(dataDir, name)}`;
  const admin = new Api(ready.control[0], { key: readFileSync(seen('admin.key'), 'utf8').trim() });
  const { id } = await admin.make('/v1/accounts');
  const create = async () => (await admin.call('POST', '/v1/accounts')).status;
  expect(await storeState(ready.metrics[0])).toEqual([true, 'up', '1']);

  for (let size = 4 * MIB; size >= 1_024; size /= 2) {
    try {
      writeFileSync(seen(`fill${size}`), Buffer.alloc(size));
    } catch {
      // The disk has less left than this.
    }
  }
  await until(async () => (await create()) === 503, 'the disk is full');
  expect(await storeState(ready.metrics[0])).toEqual([false, 'disk-full (SQLite code 13)', '0']);
  expect((await admin.call('GET', `/v1/accounts/${id}`)).status, 'reading goes on').toBe(200);
  expect(program.output.match(/disk-full/g), 'one line of the log').toHaveLength(1);

  for (let size = 4 * MIB; size >= 1_024; size /= 2) rmSync(seen(`fill${size}`), { force: true });
  await until(async () => (await storeState(ready.metrics[0]))[0], 'there is room again');
  expect(await create()).toBe(201);
  expect(await storeState(ready.metrics[0])).toEqual([true, 'up', '1']);
});

it('a deleted data directory shows without a call, and no call is answered as done', async () => {
  const service = await RunningService.start();
  const { id } = await service.household(['127.0.0.41']);
  const { adminKey } = service;
  rmSync(service.dataDir, { recursive: true });
  await until(async () => !(await storeState(service.metricsUrl))[0], 'it is noticed');
  expect(await storeState(service.metricsUrl)).toEqual([false, 'file-deleted', '0']);
  const admin = new Api(service.controlUrl, { key: adminKey });
  const reply = await admin.call('POST', `/v1/accounts/${id}/registrations`, { address: '127.0.0.42' });
  expect([reply.status, reply.body.code]).toEqual([503, 'store_unavailable']);
  await service.stop();
});
