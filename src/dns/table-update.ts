import type { AllowlistHandle } from '../allowlist/index.ts';
import type { CatalogHandle } from '../catalog/lookup/index.ts';
import type { CacheHandle } from '../resolver/cache/index.ts';
import type { UpstreamConfig } from '../resolver/index.ts';
import type { AnswerLimitOptions } from './answer/answer-limit.ts';
import type { OpenNamesOptions } from './answer/open-names.ts';
import type { RateLimitOptions } from './rate-limit.ts';

/** A TXT record of an ACME challenge; can be posted. */
export interface ChallengeRecord {
  /** Wire form, in lower case. */
  readonly name: Uint8Array;
  readonly rdata: Uint8Array;
}

/** Settings that a running edge can take. */
export interface QuerySettings {
  /** See QueryPolicy. */
  readonly policy: {
    readonly answerTtlSeconds: number;
    readonly unregistered: 'refuse' | 'drop';
    readonly answerLimit: AnswerLimitOptions;
    readonly openNames: OpenNamesOptions;
    readonly cookieSecrets: readonly Uint8Array[];
  };
  readonly rateLimit: RateLimitOptions;
}

/** New tables for threads to attach to, and settings; what is absent stays as it is. */
export interface TableUpdate {
  allowlist?: AllowlistHandle;
  catalog?: CatalogHandle;
  cache?: CacheHandle;
  /** All upstreams so far, replaced ones included: the resolver tells threads an index to ask (ForwardState). */
  upstreams?: readonly UpstreamConfig[];
  /** See QueryPolicy. */
  discovery?: readonly Uint8Array[];
  /** Records that prove names to an ACME CA. */
  challenges?: readonly ChallengeRecord[];
  settings?: QuerySettings;
}
