import type { Claim, ClaimOutcome, PrivateNames } from './claim.ts';

/** A claim on its way to the main thread. */
export interface ClaimMessage extends Claim {
  readonly id: number;
}

/** Private names in a thread: the main thread answers claims. */
export class ThreadClaims implements PrivateNames {
  readonly domain: string;
  private readonly send: (message: ClaimMessage) => void;
  private readonly waiting = new Map<number, (outcome: ClaimOutcome) => void>();
  private lastId = 0;

  constructor(domain: string, send: (message: ClaimMessage) => void) {
    this.domain = domain;
    this.send = send;
  }

  claim({ token, source: { family, words }, isRegistered }: Claim): Promise<ClaimOutcome> {
    const id = ++this.lastId;
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.send({ id, token, source: { family, words: Int32Array.from(words) }, isRegistered });
    });
  }

  /** Takes the main thread's answer. */
  answered(id: number, outcome: ClaimOutcome): void {
    this.waiting.get(id)?.(outcome);
    this.waiting.delete(id);
  }
}
