import type { AllowlistTable } from '../../../allowlist/index.ts';
import type { Prefix } from '../../../net/index.ts';
import { BpfError } from '../../../sys/bpf/index.ts';
import { Engagement, type ShieldSocket } from './engagement.ts';
import { type FloodOptions, FloodWatch } from './flood-watch.ts';

const LOOK_MS = 100;
/** After the kernel has refused what it took at the start: it is not asked all the time. */
const REST_MS = 60_000;

/** calm: the flood is over; full: no room for a new entry; replaced: by another list; fault: the kernel failed. */
export type DisengageCause = 'calm' | 'full' | 'replaced' | 'fault';

export interface ShieldEvents {
  engaged(facts: { entries: number; unregisteredPerSecond: number; durationMs: number }): void;
  disengaged(facts: { cause: DisengageCause; dropped: number }): void;
  /** It could not be put in place; the edge serves without it. */
  failed(facts: { code: string; reason: string }): void;
}

export interface ShieldOptions extends FloodOptions {
  /** Whether it is on all the time, and not in floods alone. */
  readonly always: boolean;
  /** So many packets a second of sources that are not listed still pass, about. */
  readonly samplePerSecond: number;
  readonly table: AllowlistTable;
  readonly sockets: readonly ShieldSocket[];
  /** Prefixes that pass though they are not listed: balancers, whose own probes are answered. */
  readonly exempt: readonly Prefix[];
  /** Packets of unregistered sources that the threads have seen so far. */
  readonly unregistered: () => number;
  /** Milliseconds that never go back. */
  readonly now: () => number;
  /** 32 random bits that nobody can guess. */
  readonly random: () => number;
  readonly events: ShieldEvents;
  /** Calls back again and again; returns what ends it. */
  readonly setTimer?: (callback: () => void, intervalMs: number) => () => void;
}

/** What is told of it: numbers since the start, and of the list that the filter has now. */
export interface ShieldStatus {
  readonly state: 'ready' | 'engaging' | 'engaged';
  readonly engagements: number;
  readonly dropped: number;
  readonly sampled: number;
  readonly entries: number;
}

/**
 * Keeps a flood of packets from unregistered sources away from the UDP threads: a filter in the kernel, before the
 * sockets' queues, passes the sources that are listed and a sample of the others. What a packet that passes gets is
 * decided as always. The filter is made when a flood has begun and let go when it is over: nothing is held meanwhile.
 *
 * A source that is listed is never kept away: an entry is in the filter's set before it is in the table, and whenever that
 * cannot be, the filter is taken off first.
 */
export class Shield {
  private readonly options: ShieldOptions;
  private readonly watch: FloodWatch;
  private readonly stopTimer: () => void;
  private engagement: Engagement | null = null;
  private isAttached = false;
  /** The filter was taken off though the flood goes on. */
  private isInterrupted = false;
  private engagements = 0;
  private dropped = 0;
  private sampled = 0;
  private restsUntilMs = Number.NEGATIVE_INFINITY;

  /** @throws BpfError where the kernel does not take such a filter from this process */
  constructor(options: ShieldOptions) {
    new Engagement([], options.exempt, options.random()).close();
    this.options = options;
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

  /** Takes the filter off; to be called before the sockets are closed. */
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
      // The list may have been replaced meanwhile, or the shield closed.
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

  /** Adds what the table is going to have; the filter is taken off where that cannot be. */
  private add(prefix: Prefix): void {
    if (this.engagement === null) return;
    try {
      if (!this.engagement.add(prefix)) this.interrupt('full');
    } catch {
      this.interrupt('fault');
    }
  }

  /** Takes the filter off, to be made anew at the next look. */
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

/** It does not keep a process alive that has nothing else to do. */
function everyInterval(callback: () => void, intervalMs: number): () => void {
  const timer = setInterval(callback, intervalMs).unref();
  return () => clearInterval(timer);
}
