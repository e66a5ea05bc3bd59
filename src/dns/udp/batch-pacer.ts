import { monotonicClockInto, sleepMicroseconds } from '../../sys/index.ts';

/** Rates above which pausing costs less than being woken, and the pause. */
export interface PacerOptions {
  /** Packets a millisecond. */
  readonly leastPerMs: number;
  readonly pauseMicroseconds: number;
}

/** For answers that need no upstream: a pause delays each by half of it. */
export const ANSWER_PACE: PacerOptions = { leastPerMs: 20, pauseMicroseconds: 100 };
/** While upstreams are awaited, whose replies take milliseconds: queries and replies count. */
export const FORWARD_PACE: PacerOptions = { leastPerMs: 3, pauseMicroseconds: 250 };
/** Receive calls between two looks at the rate. */
const CALLS = 64;

/**
 * Lets packets gather between two batches while many come. A thread that keeps up is woken for nearly every packet,
 * and that costs as much as half an answer; at a high rate it sleeps briefly instead, and finds several. At low rates, and
 * when batches are full anyway, nothing waits. See src/decisions/batch-pacer.md.
 */
export class BatchPacer {
  private readonly slots: number;
  private readonly options: PacerOptions;
  private readonly sleep: (microseconds: number) => void;
  private readonly clockInto: (out: Float64Array) => void;
  private readonly began = new Float64Array(1);
  private readonly now = new Float64Array(1);
  private packets = 0;
  private calls = 0;
  private isBusy = false;

  /** @param slots packets in a full batch @param clockInto monotonic, in ms */
  constructor(
    slots: number,
    options: PacerOptions = ANSWER_PACE,
    sleep = sleepMicroseconds,
    clockInto = monotonicClockInto(),
  ) {
    this.slots = slots;
    this.options = options;
    this.sleep = sleep;
    this.clockInto = clockInto;
    clockInto(this.began);
  }

  /** Pauses if that pays; call it after each batch, empty ones included. @returns true if it has paused */
  after(count: number): boolean {
    this.packets += count;
    if (++this.calls === CALLS) this.measure();
    if (!this.isBusy || count === 0 || count * 2 > this.slots) return false;
    this.sleep(this.options.pauseMicroseconds);
    return true;
  }

  private measure(): void {
    this.clockInto(this.now);
    this.isBusy = this.packets >= (this.now[0]! - this.began[0]!) * this.options.leastPerMs;
    this.began[0] = this.now[0]!;
    this.packets = 0;
    this.calls = 0;
  }
}
