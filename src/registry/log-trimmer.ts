/** Trims per life of a change: a change leaves the log after 75 to 100 % of its time. */
const TICKS = 4;

/** Trims the log by age, so that removed addresses leave it. Measures by timers: the clock may jump. */
export class LogTrimmer {
  private readonly tickMs: number;
  private readonly trim: (throughSeq: number) => Promise<void>;
  /** The last seq at each of the last ticks. */
  private readonly marks: number[] = [];
  private seq = 0;
  private trimmed = 0;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(options: { keepMs: number; trim: (throughSeq: number) => Promise<void> }) {
    this.tickMs = options.keepMs / TICKS;
    this.trim = options.trim;
  }

  /** Notes the last change of the log. */
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
        // The next tick trims this part as well.
      }
    }
    this.timer = null;
    this.arm();
  }
}
