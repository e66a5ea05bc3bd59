import type { ReadReply } from './answer.ts';
import type { ResolverCounters } from './counters.ts';
import { Endpoint, type UpstreamStatus } from './endpoint.ts';
import { type Outcome, Race, type RaceParts } from './race.ts';
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
export class Forwarder {
  private readonly parts: RaceParts;
  private readonly races = new Set<Race>();
  private readonly onRaceDone = (race: Race): void => {
    this.races.delete(race);
  };
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
    this.parts = { now, random, timeouts, counters, endpoints };
  }

  /** Asks until there is an answer or the time is over. Never rejects. `request` must not change meanwhile. */
  forward(request: ResolveRequest, read: ReadReply): Promise<Outcome> {
    if (this.closed) return Promise.resolve({ kind: 'busy' });
    return new Promise((resolve) => {
      const race = new Race(this.parts, request, read, resolve, this.onRaceDone);
      this.races.add(race);
      race.start();
    });
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
