/** An edge's connection to a real redis-server. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FeedLink } from '../../../src/registry/store/redis/follow/feed-link.ts';
import { RedisServer } from '../../support/redis-server.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

const links: FeedLink[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

async function connected(): Promise<FeedLink> {
  const link = new FeedLink(server.url);
  links.push(link);
  await link.ready();
  return link;
}

/** Returns the used heap in bytes. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

describe('an edge that runs for months', () => {
  test('keeps no memory of answers', async () => {
    const link = await connected();
    const ask = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time++) await link.meta();
    };
    await ask(1_000);
    const before = heapBytes();
    await ask(5_000);
    // 200 bytes a read would be 10 MB in an hour with a hundred changes a second.
    expect(heapBytes() - before).toBeLessThan(1_000_000);
  });
});

describe('a pending read', () => {
  test('fails at once when the link is closed, like later ones', async () => {
    const link = await connected();
    const waiting = link.follow(0);
    link.close();
    await expect(waiting).rejects.toMatchObject({ code: 'feed_closed' });
    await expect(link.meta()).rejects.toMatchObject({ code: 'feed_closed' });
  });

  test('fails when the store is silent, and the link reconnects', async () => {
    const link = await connected();
    await server.signal('SIGSTOP');
    await expect(link.meta()).rejects.toMatchObject({ code: 'feed_timeout' });
    await server.signal('SIGCONT');
    await expect.poll(() => link.connections, { timeout: 5_000 }).toBe(2);
    expect(await link.meta()).toBeNull();
  });
});
