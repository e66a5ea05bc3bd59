/** Work of a UDP thread on a question before it handed the question to the resolver. */
export const Tried = {
  NOTHING: 0,
  /** The published upstream did not reply within the published wait. */
  SILENT: 1,
  /** It replied without an answer: an error code, a referral, nothing readable. */
  DECLINED: 2,
  /** It replied with TC=1: go on over a stream. */
  TRUNCATED: 3,
  /** Replies may be forged (another case, too many false ones): go on over a stream. */
  DOUBTFUL: 4,
} as const;
export type Tried = (typeof Tried)[keyof typeof Tried];
