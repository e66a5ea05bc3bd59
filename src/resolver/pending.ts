interface Group<T> {
  readonly result: Promise<T>;
  waiters: number;
}

/** Bounds on what waits. */
export interface PendingLimits {
  readonly questions: number;
  readonly waitersPerQuestion: number;
}

/**
 * The questions that are being asked: whoever asks one of them again waits for the same result, so that an
 * upstream hears each once (RFC 5452 5: several equal queries in flight make forging a reply cheap).
 */
export class Pending<T> {
  private readonly groups = new Map<string, Group<T>>();
  private readonly limits: PendingLimits;

  constructor(limits: PendingLimits) {
    this.limits = limits;
  }

  /** Questions under way. */
  get size(): number {
    return this.groups.size;
  }

  /** Joins the question `key`. @returns undefined if nobody asks it, null if too many wait for it. */
  join(key: string): Promise<T> | null | undefined {
    const group = this.groups.get(key);
    if (group === undefined) return undefined;
    if (group.waiters >= this.limits.waitersPerQuestion) return null;
    group.waiters++;
    return group.result;
  }

  /** Asks the question `key`, which nobody asks yet. @returns null if too many questions are under way. */
  begin(key: string, ask: () => Promise<T>): Promise<T> | null {
    if (this.groups.size >= this.limits.questions) return null;
    const result = ask().finally(() => this.groups.delete(key));
    this.groups.set(key, { result, waiters: 1 });
    return result;
  }
}
