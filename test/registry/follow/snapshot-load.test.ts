/** Snapshots over slow and broken links, in chunks. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { encodeSnapshot, type Snapshot } from '../../../src/feed/index.ts';
import { openRedisFeed, type RedisFeed } from '../../../src/registry/store/redis/follow/index.ts';
import { Key, MetaField } from '../../../src/registry/store/redis/keys.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { FakeControl, US } from './fake-control.ts';

const ENTRIES = 100_000;

/** A TCP path of limited rate, which can be broken. */
class SlowPath {
  readonly sockets = new Set<Socket>();
  bytes = 0;
  port = 0;
  private readonly server;

  constructor(target: number, bytesPerSecond: number) {
    this.server = createServer((client) => {
      const server = connect(target, '127.0.0.1');
      for (const socket of [client, server]) {
        this.sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.sockets.delete(socket);
          client.destroy();
          server.destroy();
        });
      }
      client.on('data', (bytes) => server.write(bytes));
      server.on('data', (bytes: Buffer) => {
        server.pause();
        this.bytes += bytes.length;
        setTimeout(
          () => {
            client.write(bytes);
            server.resume();
          },
          (1_000 * bytes.length) / bytesPerSecond,
        );
      });
    });
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as { port: number }).port;
  }

  break(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.break();
    this.server.close();
  }
}

let server: RedisServer;
let control: FakeControl;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  control = new FakeControl(server);
  await control.redis.flushall();
});

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
  control.redis.disconnect();
});

/** 600 kB, at change `seq`. */
async function putSnapshot(seq: number): Promise<void> {
  const keys = Buffer.alloc(4 * ENTRIES);
  for (let index = 0; index < ENTRIES; index++) keys.writeUInt32BE(0x1400_0000 + index, 4 * index);
  const profiles = new Uint16Array(ENTRIES);
  const group = { family: 4, length: 32, count: ENTRIES, keys, profiles } as const;
  const snapshot: Snapshot = { version: 1, epoch: control.epoch, seq, profiles: [US], groups: [group] };
  await control.redis.set(Key.SNAPSHOT, Buffer.from(encodeSnapshot(snapshot)));
  control.snapshotSeq = seq;
}

async function slowFeed(bytesPerSecond: number): Promise<{ feed: RedisFeed; path: SlowPath }> {
  const path = new SlowPath(server.port, bytesPerSecond);
  await path.listen();
  const url = `redis://127.0.0.1:${path.port}/0`;
  const feed = openRedisFeed({ url, now: () => performance.now(), random: () => 0, spreadMs: 0 });
  ended.push(
    () => feed.close(),
    () => path.close(),
  );
  return { feed, path };
}

test('a link of 1 Mbit/s loads a snapshot, and a replaced one to its end', async () => {
  await control.set(1);
  await putSnapshot(1);
  await control.beat();
  const { feed, path } = await slowFeed(125_000);
  const loading = feed.snapshot();
  await expect.poll(() => path.bytes, { timeout: 20_000 }).toBeGreaterThan(200_000);
  // The leader replaces it and trims the log behind the new one later.
  await control.set(2);
  await control.redis.rename(Key.SNAPSHOT, Key.PREVIOUS_SNAPSHOT);
  await putSnapshot(2);
  await control.beat({ [MetaField.PREVIOUS_SNAPSHOT_SEQ]: 1 });
  const { seq, groups, changes } = await loading;
  expect({ seq, count: groups[0].count, changes: changes?.map((change) => change.seq) }).toEqual({
    seq: 1,
    count: ENTRIES,
    changes: [2],
  });
  expect(feed.state.connections).toBe(1);
  // Once, apart from replies around it.
  expect(path.bytes).toBeLessThan(800_000);
}, 60_000);

test('a broken connection goes on where it stopped', async () => {
  await control.set(1);
  await putSnapshot(1);
  await control.beat();
  const { feed, path } = await slowFeed(400_000);
  const loading = feed.snapshot();
  for (const limit of [200_000, 400_000]) {
    await expect.poll(() => path.bytes, { timeout: 20_000, interval: 5 }).toBeGreaterThan(limit);
    path.break();
  }
  const { groups } = await loading;
  expect(groups[0].count).toBe(ENTRIES);
  expect(feed.state.connections).toBe(3);
  // Each break costs a chunk at most: three whole snapshots would be 1.8 MB.
  expect(path.bytes).toBeLessThan(1_500_000);
}, 60_000);

test('a snapshot that is gone is given up for the present one', async () => {
  await control.set(1);
  await putSnapshot(1);
  await control.beat();
  const { feed, path } = await slowFeed(400_000);
  const loading = feed.snapshot();
  await expect.poll(() => path.bytes, { timeout: 20_000, interval: 5 }).toBeGreaterThan(150_000);
  await control.set(2);
  await putSnapshot(2);
  await control.beat();
  expect((await loading).seq).toBe(2);
}, 60_000);
