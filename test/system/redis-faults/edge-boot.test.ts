/** Edges that start without a store, from their disk, and with stores and files of another release. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Key } from '../../../src/registry/store/redis/keys.ts';
import { FakeControl } from '../../registry/follow/fake-control.ts';
import { freePort, type RedisServer } from '../../support/redis-server.ts';
import type { RunningService } from '../../support/service.ts';
import { ask, listPath, metric, reaches, readiness, SERVED, soon, startEdge, startRedis } from './support.ts';

const BASE = '127.0.30';
const IN_LIST = `${BASE}.1`;
const LATER = `${BASE}.2`;
const NEVER = `${BASE}.99`;

/** Starts a Redis with one address and an edge that follows it, then stops both. */
async function abandoned(): Promise<{ server: RedisServer; control: FakeControl; edge: RunningService }> {
  const server = await startRedis();
  const control = new FakeControl(server, BASE);
  await control.set(1);
  await control.pack();
  const edge = await startEdge(server.edgeUrl);
  await reaches(edge, 'following');
  expect(await ask(edge, IN_LIST)).toBe(SERVED);
  expect(await edge.stop()).toEqual({ code: 0, signal: null });
  await server.kill();
  return { server, control, edge };
}

describe.concurrent('an edge', { timeout: 60_000 }, () => {
  it('without a store and an allowlist refuses everyone, is not ready, and loads the store when it comes', async () => {
    const port = await freePort();
    const edge = await startEdge(`redis://edge:password-of-edge@127.0.0.1:${port}/0`);
    expect(await readiness(edge)).toMatchObject({ ready: false, state: 'empty', epoch: null });
    expect(await ask(edge, IN_LIST)).toBe('REFUSED');
    const server = await startRedis({ port });
    const control = new FakeControl(server, BASE);
    await control.set(1);
    await control.pack();
    await reaches(edge, 'following');
    expect(await readiness(edge)).toMatchObject({ ready: true, epoch: 'e1', seq: 1, entries: 1 });
    expect(await ask(edge, IN_LIST)).toBe(SERVED);
    expect(await ask(edge, NEVER)).toBe('REFUSED');
    expect(edge.stderr).toBe('');
    control.redis.disconnect();
  });

  it('serves the allowlist on disk while the store does not answer, says so, and follows it again', async () => {
    const { server, control, edge: before } = await abandoned();
    expect(statSync(listPath(before)).mode & 0o777).toBe(0o600);
    const edge = await startEdge(server.edgeUrl, { folder: before.folder });
    expect(await readiness(edge)).toMatchObject({ ready: true, state: 'from-disk', epoch: 'e1', seq: 1 });
    expect(await ask(edge, IN_LIST)).toBe(SERVED);
    expect(await ask(edge, NEVER)).toBe('REFUSED');
    await soon(async () => (await metric(edge, 'allowlist_age_seconds')) > 1);
    expect(await edge.metrics()).toContain('mediastreamer_allowlist_state{state="from-disk"} 1');
    await server.launch();
    await control.set(2);
    await control.beat();
    await reaches(edge, 'following');
    expect(await ask(edge, LATER)).toBe(SERVED);
    expect(await metric(edge, 'allowlist_age_seconds')).toBeLessThan(2);
    control.redis.disconnect();
    await edge.stop();
  });

  it('never serves an allowlist file that is truncated or has a flipped bit', async () => {
    const { server, control, edge: before } = await abandoned();
    const whole = readFileSync(listPath(before));
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 40] ^= 4;
    for (const damaged of [whole.subarray(0, whole.length - 7), flipped, Buffer.alloc(0)]) {
      writeFileSync(listPath(before), damaged);
      const edge = await startEdge(server.edgeUrl, { folder: before.folder });
      expect(await readiness(edge)).toMatchObject({ ready: false, state: 'empty', entries: 0 });
      expect(await ask(edge, IN_LIST)).toBe('REFUSED');
      expect(edge.output).toContain('last known allowlist on disk is damaged: ignored');
      await edge.stop();
    }
    await server.launch();
    const edge = await startEdge(server.edgeUrl, { folder: before.folder });
    await reaches(edge, 'following');
    expect(await ask(edge, IN_LIST)).toBe(SERVED);
    control.redis.disconnect();
    await edge.stop();
  });

  it('rejects an allowlist file of an unknown version', async () => {
    const { server, control, edge: before } = await abandoned();
    const later = readFileSync(listPath(before));
    later.writeUInt16BE(2, 6);
    writeFileSync(listPath(before), later);
    const edge = await startEdge(server.edgeUrl, { folder: before.folder });
    expect((await readiness(edge)).state).toBe('empty');
    expect(edge.output).toContain('list_file_version_unknown');
    control.redis.disconnect();
    await edge.stop();
  });

  it('prefers the store to an older file, and a newer file to an older store', async () => {
    const { server, control, edge: before } = await abandoned();
    const older = `${listPath(before)}.older`;
    copyFileSync(listPath(before), older);
    await server.launch();
    await control.set(2);
    await control.pack();
    const second = await startEdge(server.edgeUrl, { folder: before.folder });
    await reaches(second, 'following');
    await second.stop();
    const newest = readFileSync(listPath(before));

    writeFileSync(listPath(before), readFileSync(older));
    const third = await startEdge(server.edgeUrl, { folder: before.folder });
    await reaches(third, 'following');
    expect([await ask(third, IN_LIST), await ask(third, LATER)]).toEqual([SERVED, SERVED]);
    await third.stop();

    writeFileSync(listPath(before), newest);
    await control.redis.hset(Key.META, 'seq', 1);
    const fourth = await startEdge(server.edgeUrl, { folder: before.folder });
    await reaches(fourth, 'lost-data');
    expect([await ask(fourth, IN_LIST), await ask(fourth, LATER)]).toEqual([SERVED, SERVED]);
    expect(await ask(fourth, NEVER)).toBe('REFUSED');
    expect((await readiness(fourth)).ready).toBe(true);
    control.redis.disconnect();
    await fourth.stop();
  });

  it('holds its allowlist while the store has a newer format, says so, and follows once it can', async () => {
    const server = await startRedis();
    const control = new FakeControl(server, BASE);
    await control.set(1);
    await control.pack();
    const edge = await startEdge(server.edgeUrl);
    await reaches(edge, 'following');
    await control.redis.hset(Key.META, { format: 2, leastFormat: 2 });
    await reaches(edge, 'newer-format');
    expect(await ask(edge, IN_LIST)).toBe(SERVED);
    expect(edge.output).toContain('the store is of a newer format');
    await control.redis.hset(Key.META, { leastFormat: 1 });
    await control.set(2);
    await reaches(edge, 'following');
    expect(await ask(edge, LATER)).toBe(SERVED);
    control.redis.disconnect();
    await edge.stop();
  });
});
