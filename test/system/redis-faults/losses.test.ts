/** Lost data is noticed: edges hold their allowlist, the API says so, and nothing continues before `registry adopt`. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RedisServer, shippedPassword } from '../../support/redis-server.ts';
import { temporaryFolder } from '../../support/service.ts';
import { Site, Watch } from './site.ts';
import { ask, metric, readiness, SERVED, soon, startRedis } from './support.ts';

let site: Site;
beforeAll(async () => {
  site = await Site.start('127.41');
}, 120_000);

/** Damages Redis, and checks that edges hold their allowlist and the API answers 503. */
async function holdsThrough(fault: () => Promise<void>): Promise<string[]> {
  const kept = await site.register(3);
  const epochs = await Promise.all(site.edges.map(async (edge) => (await readiness(edge)).epoch));
  const watch = new Watch(site.edges, kept, [site.never()]);
  await fault();
  await site.bothAre('lost-data');
  for (const [index, edge] of site.edges.entries()) {
    const held = await readiness(edge);
    expect(held).toMatchObject({ ready: true, epoch: epochs[index] });
    expect(await edge.metrics()).toContain('mediastreamer_allowlist_state{state="lost-data"} 1');
    expect(edge.output).toContain(
      'the store lost data: serving the last known allowlist until registry adopt',
    );
  }
  const refused = site.next();
  await soon(async () => {
    const { status, body, headers } = await site.tryRegister(refused);
    return (status === 503 && body.code === 'store_lost_data' && Number(headers['retry-after']) > 0) || body;
  });
  const { asked, wrong, silent } = await watch.stop();
  expect({ wrong, silent }).toEqual({ wrong: [], silent: [] });
  expect(asked).toBeGreaterThan(10);
  for (const edge of site.edges) expect(await ask(edge, refused)).toBe('REFUSED');
  return kept;
}

async function worksAgain(): Promise<void> {
  await site.adopt();
  const [address] = await site.register(1);
  expect(await site.unserved()).toEqual([]);
  for (const edge of site.edges) {
    expect(await ask(edge, address)).toBe(SERVED);
    expect(await metric(edge, 'allowlist_digest_mismatches')).toBe(0);
  }
}

describe('lost data', { timeout: 90_000 }, () => {
  it('by FLUSHALL', async () => {
    const lost = await holdsThrough(async () => {
      const client = site.redis.client();
      await client.flushall();
      client.disconnect();
    });
    await worksAgain();
    for (const edge of site.edges) expect(await ask(edge, lost[0])).toBe('REFUSED');
  });

  it('by an empty server with the same address', async () => {
    await holdsThrough(async () => {
      await site.redis.kill();
      rmSync(join(site.redis.directory, 'appendonlydir'), { recursive: true });
      await site.redis.launch();
    });
    await worksAgain();
  });

  it.each([
    ['within the last change', 10],
    ['before the last change', 0],
  ])('by an append-only file that is cut %s', async (_, past) => {
    await holdsThrough(async () => {
      await site.redis.kill();
      const file = appendOnlyFile(site.redis.directory);
      const bytes = readFileSync(file);
      truncateSync(file, bytes.lastIndexOf('XADD') + past);
      mend(site.redis.directory);
      await site.redis.launch();
    });
    await worksAgain();
  });

  it('by the promotion of a replica that lacks the last changes', async () => {
    const login = ['--masteruser', 'replica', '--masterauth', shippedPassword('replica')];
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${site.redis.port}`, ...login] });
    const client = replica.client();
    await soon(async () => (await client.info('replication')).includes('master_link_status:up'));
    await soon(async () => (await client.hget('{mediastreamer}:1:meta', 'seq')) === String(await site.seq()));
    await client.replicaof('NO', 'ONE');
    client.disconnect();
    await holdsThrough(async () => {
      await Promise.all([site.redis.kill(), replica.kill()]);
      rmSync(join(site.redis.directory, 'appendonlydir'), { recursive: true });
      cpSync(join(replica.directory, 'appendonlydir'), join(site.redis.directory, 'appendonlydir'), {
        recursive: true,
      });
      await site.redis.launch();
    });
    await worksAgain();
  });

  it('that a backup gives back: the drill', async () => {
    const saved = await site.register(3);
    const backup = await takeBackup();
    const since = await site.register(2);
    await holdsThrough(async () => {
      await site.redis.kill();
      rmSync(join(site.redis.directory, 'appendonlydir'), { recursive: true });
      await restore(backup);
    });
    await site.adopt();
    for (const edge of site.edges) {
      for (const address of saved) expect(await ask(edge, address)).toBe(SERVED);
      for (const address of since) expect(await ask(edge, address)).toBe('REFUSED');
    }
    const urls = site.edges.flatMap((edge) => ['--edge', edge.metricsUrl]);
    const verified = await site.run('verify', ...urls);
    expect(verified.stdout).toContain('all agree');
    expect(verified.code).toBe(0);
    for (const edge of site.edges) {
      const reply = await (await fetch(`${edge.metricsUrl}/readyz`)).text();
      expect(reply, 'no sum that tells which address came').toMatch(/"digest":"agrees"/);
    }
  });

  it('is not adopted if nothing is lost, nor without --yes', async () => {
    expect((await site.run('adopt')).code).toBe(2);
    const { code, stderr } = await site.run('adopt', '--yes');
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('Redis has everything that this control knows'),
    ]);
  });
});

function appendOnlyFile(directory: string): string {
  const folder = join(directory, 'appendonlydir');
  const files = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
  return join(folder, files.sort().at(-1)!);
}

/** Repairs the file as start-redis.sh does: Redis itself leaves a MULTI without its EXEC. */
function mend(directory: string): void {
  const folder = join(directory, 'appendonlydir');
  const manifest = readdirSync(folder).find((name) => name.endsWith('.manifest'))!;
  execFileSync('redis-check-aof', ['--fix', join(folder, manifest)], { input: 'y\n', stdio: 'pipe' });
}

/** Runs BGSAVE, and copies the file once it is complete. */
async function takeBackup(): Promise<string> {
  const client = site.redis.client();
  const before = await client.lastsave();
  // LASTSAVE counts seconds.
  await soon(async () => Math.floor(Date.now() / 1000) > before);
  await client.bgsave();
  await soon(async () => (await client.lastsave()) > before);
  client.disconnect();
  const copy = join(temporaryFolder(), 'backup.rdb');
  cpSync(join(site.redis.directory, 'dump.rdb'), copy);
  expect(existsSync(copy)).toBe(true);
  return copy;
}

/**
 * Redis reads a dump only where it has no append-only file and wants none: it is started so, with nobody's access to
 * it, told to write one, and started again as usual when that is whole.
 */
async function restore(backup: string): Promise<void> {
  cpSync(backup, join(site.redis.directory, 'dump.rdb'));
  const loading = await RedisServer.start({ directory: site.redis.directory, args: ['--appendonly', 'no'] });
  const client = loading.client();
  await client.call('CONFIG', 'SET', 'appendonly', 'yes');
  await soon(async () => {
    const info = await client.info('persistence');
    return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_rewrite_scheduled:0');
  });
  client.disconnect();
  await loading.kill();
  await site.redis.launch();
}
