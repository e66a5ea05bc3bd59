import type { Redis } from 'ioredis';
import type { StoreEvents, WarningCode } from '../events.ts';
import { Key } from './keys.ts';
import { redisCode } from './redis-error.ts';

/** Settings that INFO reports, which users.acl permits. */
const BY_INFO: readonly { line: RegExp; code: WarningCode; expected: string }[] = [
  { line: /^aof_enabled:1/m, code: 'appendonly', expected: 'appendonly yes' },
  {
    line: /^maxmemory_policy:noeviction/m,
    code: 'maxmemory_policy',
    expected: 'maxmemory-policy noeviction',
  },
];

/** Settings that only CONFIG GET reports. users.acl denies it, because it shows masterauth and key passwords too. */
const BY_CONFIG: readonly { name: string; code: WarningCode; expected: string }[] = [
  { name: 'appendfsync', code: 'appendfsync', expected: 'always' },
  { name: 'slowlog-log-slower-than', code: 'slowlog', expected: '-1' },
];

/** Warns of settings with which Redis may lose acknowledged data, or keep erased data. */
export async function checkSettings(redis: Redis, events: StoreEvents): Promise<void> {
  try {
    const info = await redis.info();
    for (const { line, code, expected } of BY_INFO) if (!line.test(info)) events.warning(code, expected);
    for (const { name, code, expected } of BY_CONFIG) {
      const [, found] = (await redis.config('GET', name)) as string[];
      if (found !== expected) events.warning(code, `${name} ${expected}`);
    }
  } catch (error) {
    // A broken connection is not reported: the next one checks again.
    if (['NOPERM', 'CONNECTION', 'TIMEOUT'].includes(redisCode(error))) return;
    events.warning('config_not_readable', 'a Redis with CONFIG GET');
  }
}

/**
 * Asks whether the user `default` may run EXEC and SET. Redis loads its append-only file as this user, and silently
 * drops what it may not run (redis#14541).
 *
 * @returns null if Redis does not answer the question: before 7.0, without the right +acl|dryrun, or a managed one
 */
export async function defaultUserMayLoad(redis: Redis): Promise<boolean | null> {
  try {
    const exec = await redis.call('ACL', 'DRYRUN', 'default', 'exec');
    const set = await redis.call('ACL', 'DRYRUN', 'default', 'set', Key.META, '');
    return exec === 'OK' && set === 'OK';
  } catch (error) {
    if (['CONNECTION', 'TIMEOUT'].includes(redisCode(error))) throw error;
    return null;
  }
}
