/**
 * Version of what two processes say to each other when one replaces the other:
 *
 *     new                                  old
 *     line { command: 'replace' }     ->
 *                                     <-   listening sockets, by SCM_RIGHTS; line { accepted: true }
 *     call, snapshot                  ->   the embedded store and the allowlist are the old one's until 'release'
 *                                     <-   changes
 *     release                         ->   holds API calls, closes the store and its lock
 *     retire                          ->   stops reading and accepting
 *
 * From then on the old one is the client: line { command: 'follow' }, and the same calls in the other direction.
 */
export const PROTOCOL = 1;

/** Old processes that may live beside the one that serves; the oldest ends for another one. */
export const MOST_OLD_PROCESSES = 2;

/** This process cannot replace the running one. */
export class ReplaceError extends Error {
  readonly code = 'not_replaced';
  constructor(problem: string) {
    super(problem);
    this.name = 'ReplaceError';
  }
}

/** The accepted reply to `replace`. */
export interface ReplaceReply {
  readonly accepted: true;
  readonly version: string;
  readonly pid: number;
  /** Messages with descriptors that have been sent. */
  readonly messages: number;
  /** True if the old process has an embedded store. */
  readonly hasEmbeddedStore: boolean;
  /** Position of its allowlist; null: it has none. */
  readonly position: { readonly epoch: string; readonly seq: number } | null;
  /** Set by the operator, and kept. */
  readonly draining: { readonly edge: boolean; readonly relay: boolean };
}

/** A descriptor in a message. */
export interface DescribedSocket {
  readonly name: string;
  readonly isHeld: boolean;
}
