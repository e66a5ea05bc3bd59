import type { LoadPlan } from './plan.ts';
import type { Schedule } from './schedule.ts';
import type { Tallies } from './tallies.ts';
import type { Traffic } from './traffic.ts';

/** What a transport works with. `now` gives milliseconds that never go back. */
export interface LoadRun {
  readonly plan: LoadPlan;
  readonly schedule: Schedule;
  readonly traffic: Traffic;
  readonly tallies: Tallies;
  readonly now: () => number;
}

/** Sends the queries of a load by one transport, and counts what comes back. */
export interface Generator {
  /** Resolves when every connection stands or has failed, or after `timeoutMs`. */
  connected(timeoutMs: number): Promise<void>;
  /**
   * Works until `untilMs` at the latest, as far as it can be told before.
   * @returns whether the load is over: all is sent or too late, and answered or lost
   */
  work(untilMs: number): boolean | Promise<boolean>;
  /** When the sending ended: all was sent, or it was stopped, or a timeout was over since the last query was due. */
  readonly endedMs: number | null;
  /** Ends the sending: what is under way may still be answered. */
  stop(): void;
  close(): void;
}
