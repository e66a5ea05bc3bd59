import { randomBytes } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { COOKIE_SECRET_BYTES, type QueryPolicy } from '../dns/index.ts';
import { openNamesOf } from './open-names.ts';

/** Builds an edge's query policy. @param seed name-hash seed of the catalog */
export function policyOf(config: Config, seed: number): QueryPolicy {
  const { answerTtlSeconds } = config.catalog;
  const secrets = config.dns.cookieSecrets.map((text) => Buffer.from(text, 'hex'));
  return {
    seed,
    answerTtlSeconds,
    unregistered: config.dns.unregistered,
    openNames: openNamesOf(config),
    answerLimit: config.dns.answerLimit,
    streamIdleSeconds: config.dns.tcpLimits.idleSeconds,
    cookieSecrets: secrets.length > 0 ? secrets : [randomBytes(COOKIE_SECRET_BYTES)],
    discovery: [],
  };
}
