/** Looks a life of the log takes: a change goes between three quarters of its time and all of it. */
const TICKS = 4;

/**
 * Keeps the log short in time: an address that was given up must leave it too. It measures by timers, not by the
 * clock, which may jump.
 */
export class LogTrimmer {
  private readonly tickMs: number;
  private readonly trim: (throughSeq: number) => Promise<void>;
  /** The sequence as it stood at the last ticks. */
  private readonly marks: number[] = [];
  private seq = 0;
  private trimmed = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(options: { keepMs: number; trim: (throughSeq: number) => Promise<void> }) {
    this.tickMs = options.keepMs / TICKS;
    this.trim = options.trim;
  }

  /** The log has reached this number. */
  reached(seq: number): void {
    this.seq = seq;
    this.arm();
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private arm(): void {
    if (this.stopped || this.timer !== null || this.trimmed >= this.seq) return;
    this.timer = setTimeout(() => void this.tick(), this.tickMs);
    this.timer.unref();
  }

  private async tick(): Promise<void> {
    this.marks.push(this.seq);
    if (this.marks.length >= TICKS) {
      const through = this.marks.shift()!;
      try {
        if (through > this.trimmed) await this.trim(through);
        this.trimmed = Math.max(through, this.trimmed);
      } catch {
        // The next tick's mark is a later one and covers this one.
      }
    }
    this.timer = null;
    this.arm();
  }
}
