import type { AllowlistFile, LastKnownAllowlist } from './allowlist-file.ts';

export interface AllowlistKeeperOptions {
  readonly file: Pick<AllowlistFile, 'write'>;
  /** Position of the served allowlist; null if it should not be kept. */
  readonly position: () => { epoch: string; seq: number } | null;
  readonly take: () => LastKnownAllowlist;
  /** Monotonic clock, in ms. */
  readonly now: () => number;
  /** Called with a failed write; the next tick tries again. */
  readonly onError?: (error: unknown) => void;
  readonly setTimer?: (callback: () => void, delayMs: number) => () => void;
  /** Shortest time between two writes. */
  readonly intervalMs?: number;
}

/** Bounds how long a removed address stays in the file. */
const INTERVAL_MS = 5_000;
/** An unchanged allowlist is rewritten this often, because its age says when it last matched the store. */
const REFRESH_MS = 600_000;
/** Largest part of the time spent writing. */
const MOST_DUTY = 0.05;

/** Writes the served allowlist to disk a few seconds after a change, and at a clean stop. */
export class AllowlistKeeper {
  private readonly options: AllowlistKeeperOptions;
  private written: { epoch: string; seq: number; atMs: number } | null = null;
  private writing: Promise<void> | null = null;
  private cancelTimer: () => void = () => {};
  private stopped = false;
  private ownWrites = 0;

  constructor(options: AllowlistKeeperOptions) {
    this.options = options;
  }

  get writes(): number {
    return this.ownWrites;
  }

  start(): void {
    this.arm(this.interval);
  }

  /** Writes pending changes and stops. */
  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    this.cancelTimer();
    await this.writing;
    await this.write();
  }

  private get interval(): number {
    return this.options.intervalMs ?? INTERVAL_MS;
  }

  private arm(delayMs: number): void {
    const setTimer = this.options.setTimer ?? unrefTimer;
    this.cancelTimer = setTimer(() => void this.tick(), delayMs);
  }

  private async tick(): Promise<void> {
    const startedMs = this.options.now();
    this.writing = this.write();
    await this.writing;
    this.writing = null;
    const tookMs = this.options.now() - startedMs;
    if (!this.stopped) this.arm(Math.max(this.interval, tookMs / MOST_DUTY));
  }

  private async write(): Promise<void> {
    const { file, position, take, now, onError } = this.options;
    const at = position();
    if (at === null || !this.isDue(at)) return;
    try {
      if (await file.write(take())) this.ownWrites += 1;
      this.written = { ...at, atMs: now() };
    } catch (error) {
      onError?.(error);
    }
  }

  private isDue({ epoch, seq }: { epoch: string; seq: number }): boolean {
    const written = this.written;
    if (written === null || written.epoch !== epoch || written.seq !== seq) return true;
    return this.options.now() - written.atMs >= REFRESH_MS;
  }
}

function unrefTimer(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs).unref();
  return () => clearTimeout(timer);
}
