import type { MessagePort } from 'node:worker_threads';
import type { Resolved, ResolveRequest } from '../request.ts';
import type { AnswerMessage, QuestionMessage } from './messages.ts';

/** Answers what a RemoteResolver asks by `port`, until that is closed. Keeps no event loop alive by itself. */
export function serveResolver(
  port: MessagePort,
  resolver: { resolve(request: ResolveRequest): Promise<Resolved> },
): void {
  port.on('message', ({ id, request }: QuestionMessage) => {
    void resolver.resolve(request).then((resolved) => {
      const answer: AnswerMessage = { id, resolved: apart(resolved) };
      port.postMessage(answer);
    });
  });
  port.unref();
}

/** The entry in memory of its own: with a view the whole of its memory is posted. */
function apart(resolved: Resolved): Resolved {
  return resolved.entry === null ? resolved : { ...resolved, entry: new Uint8Array(resolved.entry) };
}
