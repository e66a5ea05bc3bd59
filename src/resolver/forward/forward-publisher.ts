import { type Endpoint, orderEndpoints } from '../endpoint.ts';
import type { HedgeBudget } from '../hedge-budget.ts';
import {
  type ForwardHandle,
  ForwardState,
  LATENCY_SAMPLES,
  MAX_FORWARDERS,
  NO_UPSTREAM,
} from './forward-state.ts';

/** Interval of publications, which bounds how long threads go on with a failed upstream. */
const INTERVAL_MS = 50;
/** Share of the 8192 clients that may wait in a thread. */
const QUESTIONS_PER_SOURCE = 1024;

export interface ForwardPublisherOptions {
  readonly handle: ForwardHandle;
  /** In the order of handle.upstreams. Of another number: none of them is for the threads. */
  readonly endpoints: readonly Endpoint[];
  readonly hedges: HedgeBudget;
  /** Monotonic, ms. */
  readonly now: () => number;
}

/** The resolver's side of ForwardState: adds the threads' reports to upstream health, and publishes whom to ask and how. */
export class ForwardPublisher {
  private readonly options: ForwardPublisherOptions;
  private readonly state: ForwardState;
  private readonly replies = new Uint32Array(MAX_FORWARDERS);
  private readonly timeouts = new Uint32Array(MAX_FORWARDERS);
  private readonly timer: NodeJS.Timeout;
  private endpoints: readonly Endpoint[];
  /** Index of the first endpoint among the upstreams that the threads know. */
  private firstIndex = 0;
  private isKnown: boolean;
  private published = NO_UPSTREAM;
  private waitMs = 0;
  private asksWithEdns = true;

  constructor(options: ForwardPublisherOptions) {
    this.options = options;
    this.state = new ForwardState(options.handle);
    this.endpoints = options.endpoints;
    this.isKnown = options.handle.upstreams.length === options.endpoints.length;
    this.publish();
    this.timer = setInterval(() => this.tick(), INTERVAL_MS).unref();
  }

  tick(): void {
    this.takeReports();
    this.publish();
  }

  /** Sends a question to the resolver until `untilMs` of the monotonic clock. @param key the cache's key hash */
  markSlow(key: number, untilMs: number): void {
    this.state.markSlow(key, Math.ceil(untilMs / 1000));
  }

  /** Turns to other upstreams. @param firstIndex index of the first one among those that the threads know */
  useEndpoints(endpoints: readonly Endpoint[], firstIndex: number): void {
    this.takeReports();
    this.endpoints = endpoints;
    this.firstIndex = firstIndex;
    this.isKnown = true;
    this.publish();
  }

  close(): void {
    clearInterval(this.timer);
  }

  private takeReports(): void {
    const endpoint = this.endpoints[this.published];
    const nowMs = this.options.now();
    for (let thread = 0; thread < MAX_FORWARDERS; thread++) {
      const replies = this.state.replies(thread);
      const timeouts = this.state.timeouts(thread);
      const newReplies = (replies - this.replies[thread]) >>> 0;
      const newTimeouts = (timeouts - this.timeouts[thread]) >>> 0;
      this.replies[thread] = replies;
      this.timeouts[thread] = timeouts;
      if (endpoint === undefined) continue;
      for (let back = Math.min(newReplies, LATENCY_SAMPLES); back > 0; back--) {
        endpoint.health.replied(nowMs, this.state.latencyMs(thread, (replies - back) >>> 0));
      }
      if (newReplies > 0 && this.asksWithEdns) endpoint.showsEdns(nowMs);
      this.options.hedges.earn(newReplies);
      if (newTimeouts === 0) continue;
      endpoint.health.failures += newTimeouts - 1;
      endpoint.silent(nowMs, nowMs - this.waitMs);
    }
  }

  /** Only a healthy upstream over UDP or TLS is asked plainly; everything else is the resolver's. */
  private publish(): void {
    const { endpoints } = this;
    const { hedges, now } = this.options;
    const nowMs = now();
    const [best] = orderEndpoints(endpoints, nowMs);
    const { scheme } = best.config;
    const isFit = (scheme === 'udp' || scheme === 'tls') && best.health.healthy;
    this.published = isFit ? endpoints.indexOf(best) : NO_UPSTREAM;
    const hedgeMs = endpoints.length > 1 && hedges.canSpend ? best.health.hedgeMs() : null;
    const patienceMs = best.health.patienceMs(0);
    this.waitMs = hedgeMs === null ? patienceMs : Math.min(hedgeMs, patienceMs);
    this.asksWithEdns = best.knowsEdns(nowMs);
    this.state.publish({
      upstream:
        this.isKnown && this.published !== NO_UPSTREAM ? this.firstIndex + this.published : NO_UPSTREAM,
      waitMs: this.waitMs,
      knowsEdns: this.asksWithEdns,
      // Nobody can forge within TLS.
      keepsCase: scheme === 'udp' && best.keepsCase(nowMs),
      questionsPerSource: QUESTIONS_PER_SOURCE,
    });
  }
}
