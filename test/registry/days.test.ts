/** Days, and times that 0.1.0 kept to the millisecond are rounded to days in both stores (test/system/upgrade-data). */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gunzipSync } from 'node:zlib';
import type { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { DAY_MS, dayOf, leaseDay, renewalDay } from '../../src/registry/days.ts';
import { RedisServer } from '../support/redis-server.ts';
import { openTestStore } from './redis/support.ts';
import { openStore, temporaryDirectory } from './support.ts';

const DATA = join(import.meta.dirname, '../system/upgrade-data');
const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);
const NOON_MS = START_MS + 13 * HOUR_MS + 123;
const COLUMNS = [
  ...['account.created_at', 'account.active_at', 'registration.created_at', 'registration.expires_at'],
  ...['update_token.created_at', 'hostname.created_at', 'hostname.checked_at'],
];

function columnTimes(path: string): number[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const times = COLUMNS.flatMap((name) => {
    const [table, column] = name.split('.');
    const known = database.prepare(`SELECT 1 FROM pragma_table_info('${table}') WHERE name = ?`).get(column);
    return known === undefined ? [] : database.prepare(`SELECT ${column} AS time FROM ${table}`).all();
  });
  database.close();
  return times.map(({ time }) => Number(time)).filter((time) => time > 0);
}

const hasTime = (times: readonly number[]) => times.filter((time) => time % DAY_MS !== 0);

it('SQLite: when the file is opened', async () => {
  const dataDir = temporaryDirectory();
  const path = join(dataDir, 'registry.db');
  writeFileSync(path, gunzipSync(readFileSync(join(DATA, 'registry.db.gz'))), { mode: 0o600 });
  expect(hasTime(columnTimes(path)).length, 'it had times').toBeGreaterThan(3);
  await (await openStore(dataDir)).close();
  const times = columnTimes(path);
  expect(times.length).toBeGreaterThan(4);
  expect(hasTime(times)).toEqual([]);
});

/** Every number of 12 digits or more in the packed values and fields of accounts. */
async function packedTimes(redis: Redis): Promise<number[]> {
  const script = `
    local times = {}
    for _, key in ipairs(redis.call('KEYS', '{mediastreamer}:1:account:*')) do
      local fields = redis.call('HGETALL', key)
      for index = 1, #fields, 2 do
        local tag, value = fields[index], fields[index + 1]
        if tag == 'createdAt' then times[#times + 1] = value end
        if string.match(tag, '^[rthp]:') then
          local list = cmsgpack.unpack(value)
          -- A host name's sixth value is its next look-up.
          for at = 1, string.sub(tag, 1, 1) == 'h' and 5 or #list do
            if type(list[at]) == 'number' and list[at] > 1e11 then
              times[#times + 1] = string.format('%.0f', list[at])
            end
          end
        end
      end
    end
    return times`;
  return ((await redis.eval(script, 0)) as string[]).map(Number);
}

it('Redis: soon after a control leads', async () => {
  const server = await RedisServer.start();
  const client = server.client();
  const { keys } = JSON.parse(readFileSync(join(DATA, 'redis.json'), 'utf8'));
  for (const [key, dump] of Object.entries<string>(keys)) {
    await client.restore(key, 0, Buffer.from(dump, 'base64'));
  }
  const before = await packedTimes(client);
  expect(hasTime(before).length, 'it had times').toBeGreaterThan(3);
  const store = await openTestStore(server.url);
  await expect.poll(async () => hasTime(await packedTimes(client)), { timeout: 30_000 }).toEqual([]);
  expect(await packedTimes(client)).toHaveLength(before.length);
  await store.close();
  client.disconnect();
  await server.stop();
});

describe('days', () => {
  it('begin at midnight, UTC', () => {
    expect([NOON_MS, START_MS, START_MS - 1].map(dayOf)).toEqual([START_MS, START_MS, START_MS - DAY_MS]);
    expect(leaseDay(NOON_MS, 90)).toBe(START_MS + 90 * DAY_MS);
  });

  it('renew each lease once, at a time of its own', () => {
    const hours = new Set<number>();
    for (let lease = 0; lease < 200; lease++) {
      const held = leaseDay(NOON_MS, 90);
      const times = Array.from({ length: 48 }, (_, hour) => START_MS + DAY_MS + hour * HOUR_MS - 1);
      const first = times.find((nowMs) => held < renewalDay(nowMs, 90, `lease ${lease}`))!;
      hours.add((first + 1 - START_MS) / HOUR_MS);
      const next = leaseDay(first, 90);
      expect(next, 'on the next day').toBe(held + DAY_MS);
      expect(next < renewalDay(first, 90, `lease ${lease}`), 'and not again').toBe(false);
    }
    expect(hours.size).toBe(24);
  });
});
