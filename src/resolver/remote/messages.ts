import type { Resolved, ResolveRequest } from '../request.ts';

export const REFRESH_ID = -1;

/** What a thread asks of the resolver's thread. */
export interface QuestionMessage {
  /** REFRESH_ID: nobody waits for the answer. */
  readonly id: number;
  readonly request: ResolveRequest;
}

/** What it hears. */
export interface AnswerMessage {
  readonly id: number;
  readonly resolved: Resolved;
}
