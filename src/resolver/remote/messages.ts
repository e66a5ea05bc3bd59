import type { Resolved, ResolveRequest } from '../request.ts';

export const REFRESH_ID = -1;

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
