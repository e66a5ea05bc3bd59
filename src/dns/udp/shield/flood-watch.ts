export interface FloodOptions {
  /** Packets a second from unregistered sources that make a flood. */
  readonly engagePerSecond: number;
  /** Time with less than half of that, after which the flood is over. */
  readonly holdSeconds: number;
}

/** A flood lasts for this many looks; a burst is shorter. */
const LOOKS = 2;
/** A flood that returns within this time was not over: the hold time doubles each time. */
const AGAIN_MS = 60_000;
const LONGEST_HOLD_MS = 600_000;

/** Detects the beginning and the end of a flood from packet counts. */
export class FloodWatch {
  /** Rate between the last two looks. */
  perSecond = 0;
  private readonly engagePerSecond: number;
  private readonly leastHoldMs: number;
  private holdMs: number;
  private count = 0;
  private lookedMs = 0;
  private looksAbove = 0;
  private calmSinceMs: number | null = null;
  private endedMs = Number.NEGATIVE_INFINITY;

  constructor({ engagePerSecond, holdSeconds }: FloodOptions) {
    this.engagePerSecond = engagePerSecond;
    this.leastHoldMs = holdSeconds * 1000;
    this.holdMs = this.leastHoldMs;
  }

  /** Continues with the counts of another place, from `count` on. */
  countFrom(count: number, nowMs: number): void {
    this.count = count;
    this.lookedMs = nowMs;
    this.looksAbove = 0;
    this.calmSinceMs = null;
  }

  /** @param count packets of unregistered sources so far */
  look(count: number, nowMs: number): void {
    const seconds = (nowMs - this.lookedMs) / 1000;
    if (seconds <= 0) return;
    this.perSecond = (count - this.count) / seconds;
    this.count = count;
    this.lookedMs = nowMs;
    this.looksAbove = this.perSecond >= this.engagePerSecond ? this.looksAbove + 1 : 0;
    if (this.perSecond >= this.engagePerSecond / 2) this.calmSinceMs = null;
    else this.calmSinceMs ??= nowMs;
  }

  get isFlood(): boolean {
    return this.looksAbove >= LOOKS;
  }

  isOver(nowMs: number): boolean {
    return this.calmSinceMs !== null && nowMs - this.calmSinceMs >= this.holdMs;
  }

  /** Notes that a countermeasure is active. */
  begun(nowMs: number): void {
    const again = nowMs - this.endedMs < AGAIN_MS;
    this.holdMs = again ? Math.min(this.holdMs * 2, LONGEST_HOLD_MS) : this.leastHoldMs;
  }

  /** Notes that the flood is over and the countermeasure off. */
  ended(nowMs: number): void {
    this.endedMs = nowMs;
  }
}
