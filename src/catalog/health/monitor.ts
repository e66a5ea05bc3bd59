import { setMaxListeners } from 'node:events';
import { AddressHealth, type Thresholds } from './address-health.ts';
import { isOfRelay, type ProbeReport } from './probe-outcome.ts';

/** The address of a relay to probe. */
export interface ProbedAddress {
  readonly region: string;
  readonly address: string;
}

export interface MonitorSettings extends Thresholds {
  /**
   * Host names to connect to, in turn. Where one fails, the next is tried before the relay counts as failed.
   */
  readonly names: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Probes at the same time, at most. */
  readonly concurrency: number;
}

export interface MonitorOptions {
  probe(address: string, name: string, signal: AbortSignal): Promise<ProbeReport>;
  /** Monotonic clock, in ms. */
  now(): number;
  /** Random number from 0 to below 1. */
  random(): number;
  /** Starts a timer. @returns a function that cancels it */
  after(milliseconds: number, callback: () => void): () => void;
  /** Called when an address goes up or down, or starts or stops draining. */
  onChange(address: ProbedAddress, health: AddressHealth): void;
}

/** Names that one probe tries at most. */
const MAX_TRIES = 3;
/** Share of the interval until the next probe while an address is in doubt. */
const DOUBT_SHARE = 0.2;
/** Intervals vary by this share, so that edges started together drift apart. */
const JITTER = 0.1;

interface Entry {
  readonly target: ProbedAddress;
  readonly health: AddressHealth;
  /** Index of the name that the next probe begins with. */
  turn: number;
  /** Time at which its probe was to begin. */
  dueMs: number;
  cancel: () => void;
}

/**
 * Probes addresses of relays until stopped, each on its own schedule, with bounded concurrency. Probes that
 * fall due meanwhile queue up.
 */
export class RelayMonitor {
  private readonly options: MonitorOptions;
  private settings: MonitorSettings;
  private entries = new Map<string, Entry>();
  private readonly queue: Entry[] = [];
  private readonly ending = new AbortController();
  private running = 0;
  private lastLateMs = 0;

  constructor(options: MonitorOptions, settings: MonitorSettings) {
    this.options = options;
    this.settings = settings;
    // Every probe adds a listener, and `concurrency` is not bounded here.
    setMaxListeners(0, this.ending.signal);
  }

  /** Probes these addresses from now on. Keeps the results of those probed before. */
  use(targets: readonly ProbedAddress[], settings: MonitorSettings): void {
    const before = this.entries;
    this.settings = settings;
    this.entries = new Map();
    for (const entry of before.values()) entry.cancel();
    this.queue.length = 0;
    this.lastLateMs = 0;
    for (const [index, target] of targets.entries()) {
      const known = before.get(keyOf(target));
      const health = known?.health ?? new AddressHealth(this.options.now());
      const entry: Entry = { target, health, turn: index, dueMs: 0, cancel: () => {} };
      this.entries.set(keyOf(target), entry);
      if (settings.names.length > 0) this.later(entry, settings.intervalMs * this.options.random());
    }
  }

  /** Results of an address; null if it is not probed. */
  healthOf(target: ProbedAddress): AddressHealth | null {
    return this.settings.names.length === 0 ? null : (this.entries.get(keyOf(target))?.health ?? null);
  }

  /** Longest time from the last good probe of an address until it counts as down. */
  get detectionMs(): number {
    const { intervalMs, timeoutMs, fall, names } = this.settings;
    const tries = Math.min(names.length, MAX_TRIES);
    return intervalMs * (1 + JITTER) + fall * (intervalMs * DOUBT_SHARE * (1 + JITTER) + tries * timeoutMs);
  }

  /**
   * Time that probes wait for one of `concurrency`: the longer one of the latest probe that began and the first one in the
   * queue. Longer than the interval: all probes are late.
   */
  get latenessMs(): number {
    const [first] = this.queue;
    const waitingMs = first === undefined ? 0 : this.options.now() - first.dueMs;
    return Math.max(this.lastLateMs, waitingMs);
  }

  stop(): void {
    this.use([], this.settings);
    this.ending.abort();
  }

  private later(entry: Entry, milliseconds: number): void {
    entry.dueMs = this.options.now() + milliseconds;
    entry.cancel = this.options.after(milliseconds, () => {
      this.queue.push(entry);
      this.next();
    });
  }

  private next(): void {
    while (this.running < this.settings.concurrency) {
      const entry = this.queue.shift();
      if (entry === undefined) return;
      this.running++;
      this.lastLateMs = Math.max(this.options.now() - entry.dueMs, 0);
      void this.run(entry).finally(() => {
        this.running--;
        this.next();
      });
    }
  }

  private async run(entry: Entry): Promise<void> {
    const { settings } = this;
    const report = await this.probe(entry, settings);
    // The configuration may have changed meanwhile.
    if (this.entries.get(keyOf(entry.target)) !== entry) return;
    const { now, random, onChange } = this.options;
    const hasChanged = entry.health.note(report, settings, now());
    const handle = entry.health.isInDoubt ? DOUBT_SHARE : 1;
    this.later(entry, settings.intervalMs * handle * (1 - JITTER + 2 * JITTER * random()));
    if (hasChanged) onChange(entry.target, entry.health);
  }

  private async probe(entry: Entry, { names }: MonitorSettings): Promise<ProbeReport> {
    const first = entry.turn++;
    for (let tried = 1; ; tried++) {
      const name = names[(first + tried - 1) % names.length];
      const report = await this.options.probe(entry.target.address, name, this.ending.signal);
      const isLast = tried >= Math.min(names.length, MAX_TRIES);
      if (report.outcome === 'ok' || isOfRelay(report.outcome) || isLast) return report;
    }
  }
}

function keyOf({ region, address }: ProbedAddress): string {
  return `${region} ${address}`;
}
