export interface FloodOptions {
  /** Packets of unregistered sources a second from which on it is a flood. */
  readonly engagePerSecond: number;
  /** How long there must be less than half of that before it is over. */
  readonly holdSeconds: number;
}

/** A flood is one that lasts for as many looks: a burst is not. */
const LOOKS = 2;
/** A flood that comes back so soon was not over: it is then waited for longer, twice as long each time. */
const AGAIN_MS = 60_000;
const LONGEST_HOLD_MS = 600_000;

/** Tells from counts of packets when a flood has begun, and when it is over. */
export class FloodWatch {
  /** Between the last two looks. */
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

  /** Counts from now on are of another place, and go on from `count`. */
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

  /** Something is done about a flood from now on. */
  begun(nowMs: number): void {
    const again = nowMs - this.endedMs < AGAIN_MS;
    this.holdMs = again ? Math.min(this.holdMs * 2, LONGEST_HOLD_MS) : this.leastHoldMs;
  }

  /** A flood was over, and nothing is done any more. */
  ended(nowMs: number): void {
    this.endedMs = nowMs;
  }
}
