import type { ResolverCounters } from './counters.ts';
import { Endpoint, type UpstreamStatus } from './endpoint.ts';
import { HedgeBudget } from './hedge-budget.ts';
import { Race, type RaceClient, type RaceOwner, type RaceParts } from './race.ts';
import type { RandomSource } from './random.ts';
import type { ResolveRequest } from './request.ts';
import type { ResolverTimeouts } from './timeouts.ts';
import type { DatagramPool } from './upstream/datagram-pool.ts';
import type { UpstreamTrust } from './upstream/tls.ts';
import { createTransports } from './upstream/transports.ts';
import type { UpstreamConfig } from './upstream/url.ts';

export interface ForwarderOptions {
  readonly upstreams: readonly UpstreamConfig[];
  readonly now: () => number;
  readonly random: RandomSource;
  readonly timeouts: ResolverTimeouts;
  readonly counters: ResolverCounters;
  readonly createDatagramPool: (remote: UpstreamConfig) => DatagramPool;
  readonly trust: UpstreamTrust;
}

/** Asks the upstreams: which, in which order and how often, is each question's Race. */
export class Forwarder implements RaceOwner {
  private readonly parts: RaceParts;
  private readonly races = new Set<Race>();
  private closed = false;

  constructor(options: ForwarderOptions) {
    const { now, random, timeouts, counters, createDatagramPool, trust } = options;
    const onIgnored = (): void => {
      counters.ignored++;
    };
    const upstreamParts = { random, now, timeouts, createDatagramPool, trust, onIgnored };
    const endpoints = options.upstreams.map((config, index) => {
      return new Endpoint(index, config, createTransports(config, upstreamParts), timeouts, random);
    });
    this.parts = { now, random, timeouts, counters, endpoints, hedges: new HedgeBudget() };
  }

  /**
   * Asks until there is an answer or the time is over, which `client` is told, perhaps during this call. `request` must not
   * change meanwhile.
   */
  forward(request: ResolveRequest, client: RaceClient): void {
    if (this.closed) {
      client.settled({ kind: 'busy' });
      return;
    }
    const race = new Race(this.parts, request, client, this);
    this.races.add(race);
    race.start();
  }

  done(race: Race): void {
    this.races.delete(race);
  }

  upstreams(): UpstreamStatus[] {
    return this.parts.endpoints.map((endpoint) => endpoint.status());
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const race of [...this.races]) race.abort();
    await Promise.all(this.parts.endpoints.map((endpoint) => endpoint.close()));
  }
}
