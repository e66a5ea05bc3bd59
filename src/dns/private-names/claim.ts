import type { Source } from '../../net/index.ts';

/** Outcome of asking the control about a private name and the address that it came from. */
export const ClaimOutcome = {
  /** No live name. */
  DEAD: 0,
  /** Over a budget, or the control does not answer: whether the name lives is not known. */
  BUSY: 1,
  /** The name lives; the address is not registered for it, or not yet. */
  LIVE: 2,
  /** The name lives, and the address is registered. */
  REGISTERED: 3,
} as const;
export type ClaimOutcome = (typeof ClaimOutcome)[keyof typeof ClaimOutcome];

/** A query's private name and source. */
export interface Claim {
  /** 26 characters of base32 in lower case. */
  readonly token: string;
  readonly source: Source;
  /** False: the source has no answers until the claim is decided. */
  readonly isRegistered: boolean;
}

/** Private names as a listener sees them. */
export interface PrivateNames {
  /** The domain that tokens are labels of, in lower case. */
  readonly domain: string;
  /** Reports a query. Never rejects. */
  claim(claim: Claim): Promise<ClaimOutcome>;
}
