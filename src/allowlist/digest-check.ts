import type { DigestAt } from '../feed/index.ts';
import type { RunningDigest } from './running-digest.ts';

export type DigestCheckResult = 'agrees' | 'differs' | 'unchecked';

/** Backoff after a difference, doubled each time: an allowlist that stays different must not reload in a loop. */
const FIRST_REST_MS = 10_000;
const LONGEST_REST_MS = 600_000;

/** Compares the digest of the served allowlist with the feed's and says when a difference calls for a reload. */
export class DigestCheck {
  /** Differences found since the start. */
  mismatches = 0;
  private readonly digest: RunningDigest;
  private readonly now: () => number;
  /** The feed's digest for a change that is not applied yet. */
  private checkpoint: DigestAt | null = null;
  private latest: { seq: number; agrees: boolean } | null = null;
  private mismatchesInARow = 0;
  private restUntilMs = Number.NEGATIVE_INFINITY;

  /** @param now ms of a monotonic clock */
  constructor(digest: RunningDigest, now: () => number) {
    this.digest = digest;
    this.now = now;
  }

  resultAt(seq: number): DigestCheckResult {
    if (this.latest?.seq !== seq) return 'unchecked';
    return this.latest.agrees ? 'agrees' : 'differs';
  }

  /** Keeps a digest until `reached` says that its change is applied. */
  expect(at: DigestAt): void {
    this.checkpoint = at;
  }

  /** @returns true if the digest kept for this change differs and a reload is due */
  reached(seq: number): boolean {
    return this.checkpoint?.seq === seq && this.differs(this.checkpoint);
  }

  /**
   * A spoiled digest counts as different.
   * @returns true if the digest differs and a reload is due; false while it is being computed or during backoff
   */
  differs({ seq, digest }: DigestAt): boolean {
    this.checkpoint = null;
    const own = this.digest.value;
    const isKnown = own !== null || this.digest.isSpoiled;
    const nowMs = this.now();
    this.latest = isKnown ? { seq, agrees: own === digest } : null;
    if (!isKnown || nowMs < this.restUntilMs) return false;
    if (own === digest) {
      this.mismatchesInARow = 0;
      return false;
    }
    this.mismatches += 1;
    const restMs = FIRST_REST_MS * 2 ** Math.min(this.mismatchesInARow++, 10);
    this.restUntilMs = nowMs + Math.min(LONGEST_REST_MS, restMs);
    return true;
  }

  /** Forgets what was found about the allowlist that a snapshot has just replaced. */
  reset(): void {
    this.checkpoint = null;
    this.latest = null;
  }
}
