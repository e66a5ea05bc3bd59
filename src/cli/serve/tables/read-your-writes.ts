import { setImmediate } from 'node:timers/promises';
import type { AllowlistFollower } from '../../../allowlist/index.ts';
import type { Feed } from '../../../feed/index.ts';

/** A call to the store takes at most 1.5 s, and the API answers within 2 s. */
const WAIT_MS = 400;
/** A snapshot that replaces the allowlist, or a retried change, emits nothing, so the state is also polled. */
const POLL_MS = 20;

/**
 * Read-your-writes barrier: holds the reply to a write back until this process's own allowlist has the change, so that
 * a client that got 2xx is served here at once.
 */
export class ReadYourWrites {
  private readonly follower: AllowlistFollower;
  private readonly waiting = new Set<() => void>();
  private readonly unsubscribe: () => void;

  /** @param feed the follower must have subscribed to it already, so that it applies a change before this looks */
  constructor(follower: AllowlistFollower, feed: Feed) {
    this.follower = follower;
    this.unsubscribe = feed.subscribe(() => {
      for (const check of this.waiting) check();
    });
  }

  /** Resolves to true once the allowlist has applied the changes `from` to `to`, to false after 0.4 s without them. */
  async reached(from: number, to: number): Promise<boolean> {
    const deadlineMs = performance.now() + WAIT_MS;
    while (!this.follower.hasApplied(from, to)) {
      if (performance.now() > deadlineMs) return this.lookAgain(from, to);
      await this.nextChange();
    }
    return true;
  }

  /** After a stall of this thread its timers come first: the change may have arrived and wait to be delivered. */
  private async lookAgain(from: number, to: number): Promise<boolean> {
    await setImmediate();
    return this.follower.hasApplied(from, to);
  }

  close(): void {
    this.unsubscribe();
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, POLL_MS);
      this.waiting.add(done);
    });
  }
}
