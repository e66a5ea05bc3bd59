import type { AllowlistFollower } from '../../allowlist/index.ts';
import type { Feed } from '../../feed/index.ts';

/** A call to the store takes 1.5 s at most, and the API answers within 2 s. */
const WAIT_MS = 400;
const LOOK_MS = 20;

/**
 * Waits until the list of this process has a change that this process made: it follows the store by itself, and who
 * was answered 2xx is to be served here at once.
 */
export class HeardChanges {
  private readonly follower: AllowlistFollower;
  private readonly waiting = new Set<() => void>();
  private readonly unsubscribe: () => void;

  /** @param feed that the follower has subscribed to already: it hears before this does. */
  constructor(follower: AllowlistFollower, feed: Feed) {
    this.follower = follower;
    this.unsubscribe = feed.subscribe(() => {
      for (const look of this.waiting) look();
    });
  }

  /** Whether the list has reached the change, within 0.4 s. */
  async reached(seq: number): Promise<boolean> {
    const deadlineMs = performance.now() + WAIT_MS;
    while (!this.has(seq)) {
      if (performance.now() > deadlineMs) return false;
      await this.next();
    }
    return true;
  }

  close(): void {
    this.unsubscribe();
  }

  private has(seq: number): boolean {
    const { phase } = this.follower.state;
    return phase === 'following' && this.follower.state.seq >= seq;
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      // A list that is loaded whole is not told change by change.
      const timer = setTimeout(done, LOOK_MS);
      this.waiting.add(done);
    });
  }
}
