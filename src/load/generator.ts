import type { LoadPlan } from './plan.ts';
import type { Schedule } from './schedule.ts';
import type { Tallies } from './tallies.ts';
import type { Traffic } from './traffic.ts';

/** Inputs of a generator. `now` is a monotonic clock in ms. */
export interface LoadRun {
  readonly plan: LoadPlan;
  readonly schedule: Schedule;
  readonly traffic: Traffic;
  readonly tallies: Tallies;
  readonly now: () => number;
}

/** Sends a load's queries over one transport and counts the answers. */
export interface Generator {
  /** Resolves when every connection is established or has failed, or after `timeoutMs`. */
  connected(timeoutMs: number): Promise<void>;
  /**
   * Works until about `untilMs`. @returns true when the load is over: every query is sent or too late, and
   * answered or lost
   */
  work(untilMs: number): boolean | Promise<boolean>;
  /**
   * Time the sending ended: everything was sent, it was stopped, or a timeout has passed since the last query
   * was due.
   */
  readonly endedMs: number | null;
  /** Stops sending; outstanding queries may still be answered. */
  stop(): void;
  close(): void;
}
