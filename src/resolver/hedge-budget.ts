/**
 * Share of questions that may be hedged: when all upstreams slow down, hedging must not double their load.
 */
const SHARE = 0.1;
/** Hedges saved up in quiet times at most. */
const BURST = 16;

/** Token bucket of hedges: questions sent to a second upstream because the first is slow. */
export class HedgeBudget {
  private tokens = BURST;

  /** Adds the tokens of new questions. */
  earn(questions = 1): void {
    this.tokens = Math.min(BURST, this.tokens + SHARE * questions);
  }

  get canSpend(): boolean {
    return this.tokens >= 1;
  }

  /** @returns true if a question may be hedged now */
  spend(): boolean {
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
