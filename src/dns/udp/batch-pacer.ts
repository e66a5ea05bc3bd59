import { monotonicClockInto, sleepMicroseconds } from '../../sys/index.ts';

/** From so many packets a millisecond on, pausing costs less than being woken. */
const LEAST_PER_MS = 20;
const PAUSE_US = 100;
/** Receive calls between two looks at the rate. */
const CALLS = 64;

/**
 * Lets packets pacer for a moment between two batches while many come. A thread that keeps up is woken for nearly
 * every packet, and that costs as much as half an answer; at a high rate it sleeps for a moment of its own instead, and finds
 * several. Where few come, or so many that batches are full anyway, nothing waits.
 */
export class BatchPacer {
  private readonly slots: number;
  private readonly sleep: (microseconds: number) => void;
  private readonly clockInto: (out: Float64Array) => void;
  private readonly began = new Float64Array(1);
  private readonly now = new Float64Array(1);
  private packets = 0;
  private calls = 0;
  private isBusy = false;

  /** @param slots packets in a full batch @param clockInto milliseconds that never go back */
  constructor(slots: number, sleep = sleepMicroseconds, clockInto = monotonicClockInto()) {
    this.slots = slots;
    this.sleep = sleep;
    this.clockInto = clockInto;
    clockInto(this.began);
  }

  /**
   * To be called once a batch has been answered, or none came: pauses where that pays.
   * @returns whether it has
   */
  after(count: number): boolean {
    this.packets += count;
    if (++this.calls === CALLS) this.look();
    if (!this.isBusy || count === 0 || count * 2 > this.slots) return false;
    this.sleep(PAUSE_US);
    return true;
  }

  private look(): void {
    this.clockInto(this.now);
    this.isBusy = this.packets >= (this.now[0]! - this.began[0]!) * LEAST_PER_MS;
    this.began[0] = this.now[0]!;
    this.packets = 0;
    this.calls = 0;
  }
}
