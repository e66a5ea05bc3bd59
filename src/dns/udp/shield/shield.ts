import type { AllowlistTable } from '../../../allowlist/index.ts';
import type { Prefix } from '../../../net/index.ts';
import { BpfError, detachFilter } from '../../../sys/bpf/index.ts';
import { Engagement, type ShieldSocket } from './engagement.ts';
import { type FloodOptions, FloodWatch } from './flood-watch.ts';

const LOOK_MS = 100;
/** Pause after the kernel has refused a filter that it accepted at the start. */
const REST_MS = 60_000;

/**
 * calm: the flood is over; full: no room for a new entry; replaced: by another allowlist; fault: the kernel failed.
 */
export type DisengageCause = 'calm' | 'full' | 'replaced' | 'fault';

export interface ShieldEvents {
  engaged(facts: { entries: number; unregisteredPerSecond: number; durationMs: number }): void;
  disengaged(facts: { cause: DisengageCause; dropped: number }): void;
  /** The filter could not be attached; the edge serves without it. */
  failed(facts: { code: string; reason: string }): void;
}

export interface ShieldOptions extends FloodOptions {
  /** True to filter always, not only in floods. */
  readonly always: boolean;
  /** Packets a second of unregistered sources that still pass, approximately. */
  readonly samplePerSecond: number;
  readonly table: AllowlistTable;
  readonly sockets: readonly ShieldSocket[];
  /** Prefixes that pass without being registered: load balancers, whose probes are answered. */
  readonly exempt: readonly Prefix[];
  /** Packets of unregistered sources that the threads have seen so far. */
  readonly unregistered: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** 32 unpredictable bits. */
  readonly random: () => number;
  readonly events: ShieldEvents;
  /** Calls back at intervals; returns a function that ends it. */
  readonly setTimer?: (callback: () => void, intervalMs: number) => () => void;
}

/** State for metrics: counts since the start, and of the current filter. */
export interface ShieldStatus {
  readonly state: 'ready' | 'engaging' | 'engaged';
  readonly engagements: number;
  readonly dropped: number;
  readonly sampled: number;
  readonly entries: number;
}

/**
 * Keeps a flood from unregistered sources away from the UDP threads: a filter in the kernel, before the sockets'
 * queues, passes registered sources and a sample of the others. Packets that pass are decided as always. The filter
 * exists during floods only.
 *
 * A registered source is never dropped: an entry is in the filter's set before it is in the table, and if that is not
 * possible the filter is detached first.
 */
export class Shield {
  private readonly options: ShieldOptions;
  private readonly watch: FloodWatch;
  private readonly stopTimer: () => void;
  private engagement: Engagement | null = null;
  private isAttached = false;
  /** The filter was detached although the flood goes on. */
  private isInterrupted = false;
  private engagements = 0;
  private dropped = 0;
  private sampled = 0;
  private restsUntilMs = Number.NEGATIVE_INFINITY;

  /** @throws BpfError if the kernel accepts no such filter from this process */
  constructor(options: ShieldOptions) {
    new Engagement([], options.exempt, options.random()).close();
    this.options = options;
    // A process that crashed leaves its filter on sockets that a supervisor holds.
    for (const { fd } of options.sockets) detachFilter(fd);
    this.watch = new FloodWatch(options);
    this.watch.countFrom(options.unregistered(), options.now());
    options.table.observe({
      adding: (prefix) => this.add(prefix),
      replacing: () => this.interrupt('replaced'),
    });
    const { setTimer = everyInterval } = options;
    this.stopTimer = setTimer(() => this.look(), LOOK_MS);
  }

  get status(): ShieldStatus {
    const { engagement, isAttached, engagements } = this;
    const counted = isAttached && engagement !== null;
    return {
      state: engagement === null ? 'ready' : isAttached ? 'engaged' : 'engaging',
      engagements,
      dropped: this.dropped + (counted ? engagement.dropped : 0),
      sampled: this.sampled + (counted ? engagement.sampled : 0),
      entries: engagement?.entries ?? 0,
    };
  }

  /** Detaches any filter, another process's too; the next look attaches one again where it is needed. */
  renew(): void {
    this.interrupt('replaced');
    for (const { fd } of this.options.sockets) detachFilter(fd);
  }

  /** Detaches the filter. Call it before the sockets are closed. */
  close(): void {
    this.stopTimer();
    this.options.table.observe(null);
    this.release();
  }

  private look(): void {
    const { options, watch, engagement } = this;
    const nowMs = options.now();
    if (engagement === null) {
      watch.look(options.unregistered(), nowMs);
      if (nowMs < this.restsUntilMs) return;
      if (options.always || watch.isFlood || this.isInterrupted) void this.engage();
    } else if (this.isAttached) {
      watch.look(engagement.dropped + engagement.sampled, nowMs);
      if (!options.always && watch.isOver(nowMs)) this.disengage('calm');
      else this.passSample(engagement);
    }
  }

  private async engage(): Promise<void> {
    const { options, watch } = this;
    const startedMs = options.now();
    const { perSecond } = watch;
    let engagement: Engagement | null = null;
    try {
      engagement = new Engagement(options.table.pack(), options.exempt, options.random());
      this.engagement = engagement;
      await engagement.fill(options.now);
      // The allowlist may have been replaced meanwhile, or the shield closed.
      if (this.engagement !== engagement) return;
      this.passSample(engagement);
      engagement.attach(options.sockets);
    } catch (error) {
      if (engagement !== null && this.engagement !== engagement) return;
      this.fail(error);
      return;
    }
    this.isAttached = true;
    this.isInterrupted = false;
    this.engagements += 1;
    const nowMs = options.now();
    watch.begun(nowMs);
    watch.countFrom(0, nowMs);
    const { entries } = engagement;
    options.events.engaged({
      entries,
      unregisteredPerSecond: Math.round(perSecond),
      durationMs: Math.round(nowMs - startedMs),
    });
  }

  private passSample(engagement: Engagement): void {
    const { samplePerSecond } = this.options;
    engagement.passSample(Math.min(1, samplePerSecond / Math.max(this.watch.perSecond, 1)));
  }

  /** Adds a prefix before the table has it; detaches the filter if that fails. */
  private add(prefix: Prefix): void {
    if (this.engagement === null) return;
    try {
      if (!this.engagement.add(prefix)) this.interrupt('full');
    } catch {
      this.interrupt('fault');
    }
  }

  /** Detaches the filter; the next look makes a new one. */
  private interrupt(cause: DisengageCause): void {
    if (this.engagement === null) return;
    this.isInterrupted = true;
    this.disengage(cause);
  }

  private disengage(cause: DisengageCause): void {
    const { options, watch, isAttached } = this;
    const before = this.dropped;
    this.release();
    const nowMs = options.now();
    watch.countFrom(options.unregistered(), nowMs);
    if (cause === 'calm') watch.ended(nowMs);
    if (isAttached) options.events.disengaged({ cause, dropped: this.dropped - before });
  }

  private fail(error: unknown): void {
    const { options } = this;
    this.release();
    this.isInterrupted = false;
    this.restsUntilMs = options.now() + REST_MS;
    const { code = 'unknown' } = error as { code?: string };
    const reason = error instanceof BpfError ? error.reason : 'a system call failed';
    options.events.failed({ code, reason });
  }

  private release(): void {
    const { engagement, isAttached } = this;
    this.engagement = null;
    this.isAttached = false;
    if (engagement === null) return;
    try {
      if (isAttached) {
        this.dropped += engagement.dropped;
        this.sampled += engagement.sampled;
      }
    } finally {
      engagement.close();
    }
  }
}

/** Keeps no process alive. */
function everyInterval(callback: () => void, intervalMs: number): () => void {
  const timer = setInterval(callback, intervalMs).unref();
  return () => clearInterval(timer);
}
