import { randomBytes } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { COOKIE_SECRET_BYTES, type QueryPolicy, type QuerySettings } from '../dns/index.ts';
import { openNamesOf } from './open-names.ts';

/** Signs cookies where the configuration has no secret, for as long as the process lives. */
const OWN_COOKIE_SECRET = randomBytes(COOKIE_SECRET_BYTES);

/** Builds an edge's query policy. @param seed name-hash seed of the catalog */
export function policyOf(config: Config, seed: number): QueryPolicy {
  const { policy } = querySettingsOf(config, config);
  return { ...policy, seed, streamIdleSeconds: config.dns.tcpLimits.idleSeconds, discovery: [] };
}

/** Builds the settings that a reload changes. @param started the configuration of the start: the API's own name stays */
export function querySettingsOf(config: Config, started: Config): QuerySettings {
  const { unregistered, answerLimit, rateLimit, bootstrapNames, cookieSecrets } = config.dns;
  const secrets: Uint8Array[] = cookieSecrets.map((text) => Buffer.from(text, 'hex'));
  if (secrets.length === 0) secrets.push(OWN_COOKIE_SECRET);
  return {
    policy: {
      answerTtlSeconds: config.catalog.answerTtlSeconds,
      unregistered,
      answerLimit,
      openNames: openNamesOf({ ...started, dns: { ...started.dns, bootstrapNames } }),
      cookieSecrets: secrets,
    },
    rateLimit,
  };
}
