import {
  AllowlistReader,
  type AllowlistTable,
  type ProfileId,
  type Profiles,
} from '../../../allowlist/index.ts';
import { type CatalogTables, CatalogView, type Steering } from '../../../catalog/index.ts';
import {
  type ExplainStep,
  explain,
  type QueryPolicy,
  QueryState,
  RateLimiter,
  type RateLimitOptions,
} from '../../../dns/index.ts';
import { CounterBlock } from '../../../metrics/index.ts';
import { parseAddress } from '../../../net/index.ts';
import { type AnswerCache, CacheReader } from '../../../resolver/cache/index.ts';
import { nameFromText } from '../../../wire/index.ts';
import { type RelayKnowledge, relayStatuses, statusText } from '../tables/relay-status.ts';
import type { ExplainRequest } from './socket.ts';

/** Tables and rules that decide an answer. */
export interface ExplainedTables {
  readonly table: AllowlistTable;
  readonly profiles: Profiles;
  readonly steering: Steering;
  readonly catalog: CatalogTables;
  readonly cache: AnswerCache;
  readonly policy: QueryPolicy;
  readonly rateLimit: RateLimitOptions;
  readonly relays: RelayKnowledge;
  /** As `mediastreamer_catalog_info` has it. */
  readonly catalogVersion: string;
}

export type ExplainReply =
  | { readonly steps: readonly ExplainStep[]; readonly catalogVersion: string }
  | { readonly error: string };

/** Explains what an edge with these tables answers at `nowMs` of its clock. Counts nothing. */
export function explainWith(tables: ExplainedTables, request: ExplainRequest, nowMs: number): ExplainReply {
  const { table, profiles, steering, catalog, cache, policy, rateLimit, relays } = tables;
  const source = parseAddress(String(request.from));
  const name = nameFromText(String(request.name));
  if (source === null || name === null || !Number.isInteger(request.type)) {
    return { error: 'malformed name, type or address' };
  }
  const state = new QueryState(
    {
      allowlist: new AllowlistReader(table.handle()),
      catalog: new CatalogView(steering.handle()),
      cache: new CacheReader(cache.handle()),
      rateLimiter: new RateLimiter(RateLimiter.allocate(), rateLimit, policy.seed),
      counters: new CounterBlock(),
    },
    policy,
  );
  state.setTime(nowMs);
  const steps = explain(
    state,
    { name, type: request.type, source },
    {
      services: catalog.services.map(({ service }) => service),
      regions: catalog.regions.map(({ region }) => region),
      groups: catalog.groups,
      relays: (region) =>
        relayStatuses(catalog, steering.routes, relays)
          .filter((status) => status.region === catalog.regions[region].region)
          .map((status) => (status.group === null ? '' : `group ${status.group}: `) + statusText(status)),
      profile: (id) => profiles.get(id as ProfileId),
    },
  );
  return { steps, catalogVersion: tables.catalogVersion };
}
