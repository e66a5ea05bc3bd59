import { afterAll, beforeAll } from 'vitest';
import { storeFace } from '../../../src/registry/store/redis/redis-store.ts';
import { storeContract } from '../../contract/store.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { openTestStore } from './support.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

storeContract('Redis', async () => {
  const client = server.client();
  await client.flushall();
  client.disconnect();
  return storeFace(await openTestStore(server.url));
});
