import type { Change } from '../feed/index.ts';
import { formatPrefix, type Prefix } from '../net/index.ts';

/** New profiles of one prefix within this time coalesce: only the last is applied. */
export const COALESCE_MS = 200;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** Retries of a change that fails for another reason than a lack of profile ids; then a reload must help. */
const MAX_ATTEMPTS = 3;

interface Waiting {
  readonly change: Change;
  dueAtMs: number;
  /** Failed attempts; 0: the change only waits for the pace of its prefix. */
  attempts: number;
}

/**
 * Changes that are not applied yet: those that failed, and those that follow another new profile of their prefix too
 * closely. A newer change of the prefix replaces the one that waits.
 */
export class WaitingChanges {
  private readonly byPrefix = new Map<string, Waiting>();
  /** When each prefix last got a new profile, for COALESCE_MS. */
  private readonly lastNewMs = new Map<string, number>();

  /** Changes that failed and are retried. */
  get failed(): number {
    let count = 0;
    for (const { attempts } of this.byPrefix.values()) if (attempts > 0) count += 1;
    return count;
  }

  get isEmpty(): boolean {
    return this.byPrefix.size === 0;
  }

  /** Ms of the clock at which the next change is due; null if none waits. */
  get nextDueMs(): number | null {
    let nextMs: number | null = null;
    for (const { dueAtMs } of this.byPrefix.values()) {
      if (nextMs === null || dueAtMs < nextMs) nextMs = dueAtMs;
    }
    return nextMs;
  }

  /** True if one of the changes `from` to `to` waits. */
  hasAny(from: number, to: number): boolean {
    for (const { change } of this.byPrefix.values()) if (change.seq >= from && change.seq <= to) return true;
    return false;
  }

  /** A newer change of the prefix has come. */
  supersede(prefix: Prefix): void {
    if (this.byPrefix.size > 0) this.byPrefix.delete(formatPrefix(prefix));
  }

  /** Asks for the right to give the prefix a new profile. @returns false after making the change wait for its turn */
  pace(change: Change, nowMs: number): boolean {
    for (const [key, atMs] of this.lastNewMs) {
      if (nowMs - atMs < COALESCE_MS) break;
      this.lastNewMs.delete(key);
    }
    const key = formatPrefix(change.prefix);
    const lastMs = this.lastNewMs.get(key);
    if (lastMs === undefined) {
      this.lastNewMs.set(key, nowMs);
      return true;
    }
    this.byPrefix.set(key, { change, dueAtMs: lastMs + COALESCE_MS, attempts: 0 });
    return false;
  }

  /** Makes a change wait that could not be applied. */
  addFailed(change: Change, nowMs: number): void {
    this.byPrefix.set(formatPrefix(change.prefix), {
      change,
      dueAtMs: nowMs + FIRST_RETRY_MS,
      attempts: 1,
    });
  }

  /**
   * Tries the changes that are due, oldest first.
   * @param apply throws if the change still cannot be applied
   * @param isTemporary true for an error that time alone can heal
   * @returns false if a change has failed for too often
   */
  retry(nowMs: number, apply: (change: Change) => void, isTemporary: (error: unknown) => boolean): boolean {
    let isHopeful = true;
    const due = [...this.byPrefix].filter(([, { dueAtMs }]) => dueAtMs <= nowMs);
    for (const [key, waiting] of due.sort(([, a], [, b]) => a.change.seq - b.change.seq)) {
      try {
        apply(waiting.change);
        this.byPrefix.delete(key);
        if (waiting.attempts === 0) this.lastNewMs.set(key, nowMs);
      } catch (error) {
        waiting.attempts += 1;
        const delayMs = FIRST_RETRY_MS * 2 ** Math.min(waiting.attempts - 1, 10);
        waiting.dueAtMs = nowMs + Math.min(LAST_RETRY_MS, delayMs);
        if (waiting.attempts > MAX_ATTEMPTS && !isTemporary(error)) isHopeful = false;
      }
    }
    return isHopeful;
  }

  /** A snapshot has replaced everything. */
  clear(): void {
    this.byPrefix.clear();
    this.lastNewMs.clear();
  }
}
