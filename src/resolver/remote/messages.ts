import type { Resolved, ResolveRequest } from '../request.ts';

/** What a thread asks of the resolver's thread. */
export interface QuestionMessage {
  readonly id: number;
  readonly request: ResolveRequest;
}

/** What it hears. */
export interface AnswerMessage {
  readonly id: number;
  readonly resolved: Resolved;
}
