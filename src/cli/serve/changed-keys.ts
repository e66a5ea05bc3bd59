import type { Config } from '../../config/index.ts';
import { sameRedisUser } from '../../net/index.ts';

/** Keys that a reload applies; all others are read at the start only. */
const RELOADED = [
  'upstreams',
  'cache.bytes',
  'cache.staleSeconds',
  'catalog.services',
  'catalog.groups',
  'catalog.answerTtlSeconds',
  'dns.unregistered',
  'dns.rateLimit',
  'dns.answerLimit',
  'dns.bootstrapNames',
  'dns.cookieSecrets',
  'regions',
  'defaultRegion',
  'health',
  'log.level',
  'control.adminKey',
  'control.keys',
  'relay.probeSources',
  'relay.egress',
  'tls.certFile',
  'tls.keyFile',
];

/** Lists paths of changed keys that need a restart. Paths only: some values are secret. */
export function changedKeys(before: Config, after: Config): string[] {
  return differences(before, after, '').filter(
    (path) =>
      !(path === 'store' && sameRedisUser(before.store, after.store)) &&
      !RELOADED.some((key) => path === key || path.startsWith(`${key}.`)),
  );
}

function differences(before: unknown, after: unknown, path: string): string[] {
  if (!isSection(before) || !isSection(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
  );
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
