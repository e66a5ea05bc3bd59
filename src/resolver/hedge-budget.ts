/** So many of a hundred questions may be asked twice before their time: when all upstreams slow down, that must not double their load. */
const SHARE = 0.1;
/** The most that quiet times save up. */
const BURST = 16;

/** How many questions may still be sent to a second upstream because the first is slower than it uses to be. */
export class HedgeBudget {
  private tokens = BURST;

  /** Questions begin. */
  earn(questions = 1): void {
    this.tokens = Math.min(BURST, this.tokens + SHARE * questions);
  }

  get canSpend(): boolean {
    return this.tokens >= 1;
  }

  /** @returns whether the question that is late may be asked elsewhere already */
  spend(): boolean {
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
