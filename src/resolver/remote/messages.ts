import { ExtendedError, Rcode } from '../../wire/index.ts';
import type { Resolved, ResolveRequest } from '../request.ts';

export const REFRESH_ID = -1;

/** Result of a question that the resolver's thread could not answer for an error of this program, or at its end. */
export const SERVFAIL: Resolved = { entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NONE };

/** From a thread to the resolver's thread. */
export interface QuestionMessage {
  /** REFRESH_ID: nobody waits for the answer. */
  readonly id: number;
  readonly request: ResolveRequest;
  /** See ResolveWaiter. */
  readonly source: number | undefined;
}

/** The reply to it. */
export interface AnswerMessage {
  readonly id: number;
  readonly resolved: Resolved;
}
