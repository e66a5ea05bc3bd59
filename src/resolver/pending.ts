/** Whoever waits for a result. Told once, by one of these. */
export interface Waiter<T> {
  resolved(result: T): void;
  /** A fault of this program kept the result from being made. */
  failed(fault: unknown): void;
}

/** Bounds on what waits. */
export interface PendingLimits {
  readonly questions: number;
  readonly waitersPerQuestion: number;
}

/** What join found: nobody asks the question, or the caller waits now, or too many do. */
export const Joined = { NO: 0, YES: 1, FULL: 2 } as const;
export type Joined = (typeof Joined)[keyof typeof Joined];

/**
 * The questions that are being asked: whoever asks one of them again waits for the same result, so that an
 * upstream hears each once (RFC 5452 5: several equal queries in flight make forging a reply cheap).
 */
export class Pending<T> {
  /** Most questions have one waiter: an array for it would be one more thing to collect. */
  private readonly groups = new Map<string, Waiter<T> | Waiter<T>[]>();
  private readonly limits: PendingLimits;

  constructor(limits: PendingLimits) {
    this.limits = limits;
  }

  /** Questions under way. */
  get size(): number {
    return this.groups.size;
  }

  /** Joins the question `key` where it is being asked. */
  join(key: string, waiter: Waiter<T>): Joined {
    const group = this.groups.get(key);
    if (group === undefined) return Joined.NO;
    if (!Array.isArray(group)) {
      if (this.limits.waitersPerQuestion < 2) return Joined.FULL;
      this.groups.set(key, [group, waiter]);
      return Joined.YES;
    }
    if (group.length >= this.limits.waitersPerQuestion) return Joined.FULL;
    group.push(waiter);
    return Joined.YES;
  }

  /** Begins the question `key`, which nobody asks yet. @returns false if too many questions are under way. */
  begin(key: string, waiter: Waiter<T>): boolean {
    if (this.groups.size >= this.limits.questions) return false;
    this.groups.set(key, waiter);
    return true;
  }

  /** Ends the question `key`: who waits for it is told, and it may begin again. */
  settle(key: string, result: T): void {
    const group = this.take(key);
    if (!Array.isArray(group)) group?.resolved(result);
    else for (const waiter of group) waiter.resolved(result);
  }

  /** Ends the question `key` without a result. */
  fail(key: string, fault: unknown): void {
    const group = this.take(key);
    if (!Array.isArray(group)) group?.failed(fault);
    else for (const waiter of group) waiter.failed(fault);
  }

  private take(key: string): Waiter<T> | Waiter<T>[] | undefined {
    const group = this.groups.get(key);
    this.groups.delete(key);
    return group;
  }
}
