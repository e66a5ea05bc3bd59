import { AllowlistReader } from '../../allowlist/index.ts';
import { CatalogView } from '../../catalog/lookup/index.ts';
import type { CounterBlock } from '../../metrics/index.ts';
import { CacheReader } from '../../resolver/cache/index.ts';
import type { Resolver } from '../../resolver/index.ts';
import { QueryState } from '../answer/query-state.ts';
import { Answerer } from '../answerer.ts';
import { RateLimiter } from '../rate-limit.ts';
import type { TableUpdate } from '../table-update.ts';
import { LocalDeferredQueries } from '../udp/deferred-queries.ts';
import type { UdpTables } from '../udp/udp-thread-data.ts';

/** The edge's part of the resolver's thread: answers what UDP threads defer. */
export class Deferral {
  readonly queries: LocalDeferredQueries;
  private readonly state: QueryState;
  private readonly answerer: Answerer;

  constructor(
    { allowlist, catalog, cache, rateLimit, rateLimitOptions, policy }: UdpTables,
    resolver: Resolver,
    counters: CounterBlock,
    now: () => number,
    onError: (error: unknown) => void,
  ) {
    const tables = {
      allowlist: new AllowlistReader(allowlist),
      catalog: new CatalogView(catalog),
      cache: new CacheReader(cache),
      rateLimiter: new RateLimiter(rateLimit, rateLimitOptions, policy.seed),
      counters,
    };
    this.state = new QueryState(tables, policy);
    this.answerer = new Answerer(this.state, resolver, now, onError);
    this.queries = new LocalDeferredQueries(this.answerer);
  }

  attach(update: TableUpdate): void {
    this.state.attach(update);
  }

  idle(): Promise<void> {
    return this.answerer.idle();
  }
}
