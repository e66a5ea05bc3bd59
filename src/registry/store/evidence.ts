/**
 * Evidence that a registration's address is the account's, the weakest first:
 * - told: a followed host name moved there, or the operator said so;
 * - proved: a host name's registration from before evidence was kept; treated as told, but not limited by edges;
 * - seen: a request came from the address, or the operator saw the customer.
 */
export const EVIDENCE = ['told', 'proved', 'seen'] as const;
export type StoredEvidence = (typeof EVIDENCE)[number];

/** Evidence as callers give and see it. */
export type Evidence = 'seen' | 'told';

/** Ranks by which the holders of an address are compared: the index in EVIDENCE, which the stores keep. */
export const EvidenceRank = { TOLD: 0, PROVED: 1, SEEN: 2 } as const;

export function evidenceRank(evidence: StoredEvidence): number {
  return EVIDENCE.indexOf(evidence);
}
