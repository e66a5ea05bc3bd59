import { UpstreamHealth } from './health.ts';
import type { RandomSource } from './random.ts';
import type { ResolverTimeouts } from './timeouts.ts';
import type { UpstreamTransports } from './upstream/transports.ts';
import type { UpstreamConfig } from './upstream/url.ts';

/** What is shown of an upstream. */
export interface UpstreamStatus {
  /** Its place in the configuration and its scheme, `0-udp`: fit for a metric's label. */
  readonly name: string;
  /** As configured. */
  readonly url: string;
  readonly healthy: boolean;
  /** Latency of the last replies in milliseconds; null before the first. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  /** Tries that got no usable reply, since the start. */
  readonly failures: number;
}

/** One configured upstream with what was learnt about it. */
export class Endpoint {
  readonly config: UpstreamConfig;
  readonly transports: UpstreamTransports;
  readonly health: UpstreamHealth;
  private readonly name: string;
  private readonly quirkMs: number;
  private withoutEdnsUntilMs = 0;
  private foldsCaseUntilMs = 0;

  constructor(
    index: number,
    config: UpstreamConfig,
    transports: UpstreamTransports,
    timeouts: ResolverTimeouts,
    random: RandomSource,
  ) {
    this.name = `${index}-${config.scheme}`;
    this.config = config;
    this.transports = transports;
    this.health = new UpstreamHealth(timeouts, random);
    this.quirkMs = timeouts.quirkMs;
  }

  /** It answered FORMERR or NOTIMP with OPT, and had an answer without. */
  rememberNoEdns(nowMs: number): void {
    this.withoutEdnsUntilMs = nowMs + this.quirkMs;
  }

  /** It echoed the name in another case over a stream, where nobody can have forged it. */
  rememberFoldsCase(nowMs: number): void {
    this.foldsCaseUntilMs = nowMs + this.quirkMs;
  }

  knowsEdns(nowMs: number): boolean {
    return nowMs >= this.withoutEdnsUntilMs;
  }

  keepsCase(nowMs: number): boolean {
    return nowMs >= this.foldsCaseUntilMs;
  }

  status(): UpstreamStatus {
    return {
      name: this.name,
      url: this.config.url,
      healthy: this.health.healthy,
      p50Ms: this.health.percentileMs(0.5),
      p95Ms: this.health.percentileMs(0.95),
      failures: this.health.failures,
    };
  }

  async close(): Promise<void> {
    const { first, stream } = this.transports;
    await Promise.all(first === stream ? [stream.close()] : [first.close(), stream.close()]);
  }
}

/** The order in which upstreams are asked: the best first; equals as configured. */
export function orderEndpoints(endpoints: readonly Endpoint[], nowMs: number): readonly Endpoint[] {
  if (endpoints.length === 1) return endpoints;
  return endpoints
    .map((endpoint) => ({ endpoint, cost: endpoint.health.cost(nowMs) }))
    .sort((a, b) => a.cost - b.cost)
    .map(({ endpoint }) => endpoint);
}
