import { UpstreamHealth } from './health.ts';
import { HealthCheck } from './health-check.ts';
import type { RandomSource } from './random.ts';
import type { ResolverTimeouts } from './timeouts.ts';
import type { UpstreamTransports } from './upstream/transports.ts';
import type { UpstreamConfig } from './upstream/url.ts';

/** An upstream's state, for metrics and readiness. */
export interface UpstreamStatus {
  /** Its index in the configuration and its scheme, `0-udp`: fit for a metric's label. */
  readonly name: string;
  /** As configured. */
  readonly url: string;
  readonly healthy: boolean;
  /** Latency of the last replies in ms; null before the first. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  /** Tries without a usable reply since the start. */
  readonly failures: number;
}

export interface EndpointOptions {
  readonly config: UpstreamConfig;
  readonly transports: UpstreamTransports;
  readonly timeouts: ResolverTimeouts;
  readonly random: RandomSource;
  readonly now: () => number;
  /** Called once for each quirk that the upstream turns out to have. */
  readonly onQuirk: (url: string, quirk: UpstreamQuirk) => void;
}

/** `folds_case`: changes the case of names, and has no TCP. `drops_edns`: is silent to queries with EDNS. */
export type UpstreamQuirk = 'folds_case' | 'drops_edns';

/** One configured upstream with everything learned about it. */
export class Endpoint {
  readonly config: UpstreamConfig;
  readonly transports: UpstreamTransports;
  readonly health: UpstreamHealth;
  private readonly options: EndpointOptions;
  private readonly check: HealthCheck;
  private checkTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private withoutEdnsUntilMs = 0;
  private withoutStreamUntilMs = 0;
  private foldsCaseUntilMs = 0;
  private showsEdnsUntilMs = 0;
  private readonly told = new Set<UpstreamQuirk>();

  constructor(options: EndpointOptions) {
    const { config, transports, timeouts, random, now } = options;
    this.options = options;
    this.config = config;
    this.transports = transports;
    this.health = new UpstreamHealth(timeouts, random);
    this.check = new HealthCheck(transports.first, random, (isAlive, hadEdns) => {
      if (this.isClosed) return;
      const nowMs = now();
      if (!isAlive) this.fail(nowMs);
      else {
        this.health.isAlive(nowMs);
        if (hadEdns) this.showsEdns(nowMs);
        else this.confirmDropsEdns(nowMs);
      }
    });
  }

  /**
   * The network says that nobody is there.
   * @param sentMs time of the first query of the failed attempt; a reply since then proves that the upstream lives
   */
  unreachable(nowMs: number, sentMs: number): void {
    this.health.failures++;
    if (!this.health.hasRepliedSince(sentMs)) this.fail(nowMs);
  }

  /**
   * A question got no usable reply, which may be due to its name or type. While the upstream counts as healthy a check
   * decides; after that silence counts.
   */
  silent(nowMs: number, sentMs: number): void {
    const { health } = this;
    health.failures++;
    if (health.hasRepliedSince(sentMs)) return;
    if (!health.healthy) this.fail(nowMs);
    else {
      health.suspect();
      this.startCheck();
    }
  }

  /** It answered FORMERR or NOTIMP with OPT, and had an answer without. */
  rememberNoEdns(nowMs: number): void {
    this.withoutEdnsUntilMs = nowMs + this.options.timeouts.quirkMs;
  }

  /** It replied to a query with EDNS. */
  showsEdns(nowMs: number): void {
    this.showsEdnsUntilMs = nowMs + this.options.timeouts.quirkMs;
  }

  /** True if it has replied to a query with EDNS lately: silence is not due to EDNS. */
  hasShownEdns(nowMs: number): boolean {
    return nowMs < this.showsEdnsUntilMs;
  }

  /** It answered a query without EDNS, after silence to those with it. */
  confirmDropsEdns(nowMs: number): void {
    if (this.hasShownEdns(nowMs) || !this.knowsEdns(nowMs)) return;
    this.rememberNoEdns(nowMs);
    this.tell('drops_edns');
  }

  /** It changed the case of the name over a stream, where no one can have forged the reply. */
  rememberFoldsCase(nowMs: number): void {
    this.foldsCaseUntilMs = nowMs + this.options.timeouts.quirkMs;
  }

  /** It changed the case, has no TCP, and gave agreeing replies in lower case. */
  confirmFoldsCase(nowMs: number): void {
    this.rememberFoldsCase(nowMs);
    this.tell('folds_case');
  }

  /** Its TCP gave no answer. */
  rememberNoStream(nowMs: number): void {
    this.withoutStreamUntilMs = nowMs + this.options.timeouts.quirkMs;
  }

  knowsEdns(nowMs: number): boolean {
    return nowMs >= this.withoutEdnsUntilMs;
  }

  lacksStream(nowMs: number): boolean {
    return nowMs < this.withoutStreamUntilMs;
  }

  keepsCase(nowMs: number): boolean {
    return nowMs >= this.foldsCaseUntilMs;
  }

  /** @param index in the configuration */
  status(index: number): UpstreamStatus {
    const { config, health } = this;
    return {
      name: `${index}-${config.scheme}`,
      url: config.url,
      healthy: health.healthy,
      p50Ms: health.percentileMs(0.5),
      p95Ms: health.percentileMs(0.95),
      failures: health.failures,
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.checkTimer);
    this.check.cancel();
    const { first, stream } = this.transports;
    await Promise.all(first === stream ? [stream.close()] : [first.close(), stream.close()]);
  }

  private tell(quirk: UpstreamQuirk): void {
    if (this.told.has(quirk)) return;
    this.told.add(quirk);
    this.options.onQuirk(this.config.url, quirk);
  }

  /** Counts a failure and checks again, with backoff, until the upstream replies. */
  private fail(nowMs: number): void {
    const waitMs = this.health.failed(nowMs);
    if (waitMs === null || this.isClosed) return;
    this.checkAfter(waitMs);
  }

  private checkAfter(waitMs: number): void {
    clearTimeout(this.checkTimer);
    this.checkTimer = setTimeout(() => {
      if (!this.health.healthy) this.startCheck();
    }, waitMs + 1).unref();
  }

  private startCheck(): void {
    if (this.check.isRunning) return;
    const { tryMs, asideMinMs } = this.options.timeouts;
    // Without room to send, nothing is learned about the upstream.
    if (!this.check.start(tryMs)) this.checkAfter(asideMinMs);
  }
}

/** The order in which upstreams are asked: the best first, equals as configured. */
export function orderEndpoints(endpoints: readonly Endpoint[], nowMs: number): readonly Endpoint[] {
  if (endpoints.length === 1) return endpoints;
  return endpoints
    .map((endpoint) => ({ endpoint, cost: endpoint.health.cost(nowMs) }))
    .sort((a, b) => a.cost - b.cost)
    .map(({ endpoint }) => endpoint);
}
