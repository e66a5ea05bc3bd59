import type { Redis } from 'ioredis';
import { redisCode } from './fault.ts';
import type { StoreNews, WarningCode } from './state.ts';

/** Settings of Redis without which what was acknowledged can be lost, or what was erased stays. */
const SETTINGS: readonly { name: string; code: WarningCode; expected: string }[] = [
  { name: 'appendonly', code: 'appendonly', expected: 'yes' },
  { name: 'appendfsync', code: 'appendfsync', expected: 'always' },
  { name: 'maxmemory-policy', code: 'maxmemory_policy', expected: 'noeviction' },
  { name: 'slowlog-log-slower-than', code: 'slowlog', expected: '-1' },
];

/** Warns of each setting that is another one, and where this user may not look (config/deploy/users.acl lets it). */
export async function checkSettings(redis: Redis, news: StoreNews): Promise<void> {
  for (const { name, code, expected } of SETTINGS) {
    try {
      const [, found] = (await redis.config('GET', name)) as string[];
      if (found !== expected) news.warning(code, `${name} ${expected}`);
    } catch (error) {
      // NOPERM, or a service that has no CONFIG; what a connection that broke would have said comes with the next one.
      if (redisCode(error) !== 'CONNECTION' && redisCode(error) !== 'TIMEOUT') {
        news.warning('config_not_readable', 'a user who may CONFIG GET');
      }
      return;
    }
  }
}
