import type { Redis } from 'ioredis';
import type { StoreEvents, WarningCode } from '../events.ts';
import { redisCode } from './redis-error.ts';

/** Without these settings, Redis may lose acknowledged data or keep erased data. */
const SETTINGS: readonly { name: string; code: WarningCode; expected: string }[] = [
  { name: 'appendonly', code: 'appendonly', expected: 'yes' },
  { name: 'appendfsync', code: 'appendfsync', expected: 'always' },
  { name: 'maxmemory-policy', code: 'maxmemory_policy', expected: 'noeviction' },
  { name: 'slowlog-log-slower-than', code: 'slowlog', expected: '-1' },
];

/** Warns of each setting that differs, and if the user may not read settings. */
export async function checkSettings(redis: Redis, events: StoreEvents): Promise<void> {
  for (const { name, code, expected } of SETTINGS) {
    try {
      const [, found] = (await redis.config('GET', name)) as string[];
      if (found !== expected) events.warning(code, `${name} ${expected}`);
    } catch (error) {
      // NOPERM, or a managed Redis without CONFIG. A broken connection is not reported: the next one asks again.
      if (redisCode(error) !== 'CONNECTION' && redisCode(error) !== 'TIMEOUT') {
        events.warning('config_not_readable', 'a user who may CONFIG GET');
      }
      return;
    }
  }
}
