/** Waits for a result. Exactly one of these is called, once. */
export interface Waiter<T> {
  resolved(result: T): void;
  /** An error of this program kept the result from being made. */
  failed(error: unknown): void;
}

/** Bounds on what waits. */
export interface PendingLimits {
  readonly questions: number;
  readonly waitersPerQuestion: number;
}

/** Result of join. NO: the question is not under way. YES: the caller waits now. FULL: too many wait. */
export const Joined = { NO: 0, YES: 1, FULL: 2 } as const;
export type Joined = (typeof Joined)[keyof typeof Joined];

/**
 * Coalesces questions: asking one that is under way waits for the same result, so that an upstream hears each once
 * (RFC 5452 5: several equal queries in flight make a forged reply cheap).
 */
export class Pending<T, W extends Waiter<T> = Waiter<T>> {
  /** Most questions have one waiter, which needs no array. */
  private readonly groups = new Map<string, W | W[]>();
  private readonly limits: PendingLimits;
  private readonly onLeave: (waiter: W) => void;

  /** @param onLeave called for each waiter before it gets its result */
  constructor(limits: PendingLimits, onLeave: (waiter: W) => void = () => {}) {
    this.limits = limits;
    this.onLeave = onLeave;
  }

  /** Questions under way. */
  get size(): number {
    return this.groups.size;
  }

  has(key: string): boolean {
    return this.groups.has(key);
  }

  /** Waits for the question `key` if it is under way. */
  join(key: string, waiter: W): Joined {
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

  /** Begins the question `key`, which must not be under way. @returns false if too many are */
  begin(key: string, waiter: W): boolean {
    if (this.groups.size >= this.limits.questions) return false;
    this.groups.set(key, waiter);
    return true;
  }

  /** Ends the question `key` with a result for everyone who waits; it may begin again. */
  settle(key: string, result: T): void {
    const group = this.take(key);
    if (Array.isArray(group)) for (const waiter of group) this.tell(waiter, result);
    else if (group !== undefined) this.tell(group, result);
  }

  /** Ends the question `key` without a result. */
  fail(key: string, error: unknown): void {
    const group = this.take(key) ?? [];
    for (const waiter of Array.isArray(group) ? group : [group]) {
      this.onLeave(waiter);
      waiter.failed(error);
    }
  }

  private tell(waiter: W, result: T): void {
    this.onLeave(waiter);
    waiter.resolved(result);
  }

  private take(key: string): W | W[] | undefined {
    const group = this.groups.get(key);
    this.groups.delete(key);
    return group;
  }
}
