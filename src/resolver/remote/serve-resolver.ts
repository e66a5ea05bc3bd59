import type { MessagePort } from 'node:worker_threads';
import { ExtendedError, Rcode } from '../../wire/index.ts';
import type { Resolved, ResolveRequest, ResolveWaiter } from '../request.ts';
import { type AnswerMessage, type QuestionMessage, REFRESH_ID } from './messages.ts';

const NOTHING: Resolved = { entry: null, rcode: Rcode.SERVFAIL, extendedError: ExtendedError.NONE };

/** Answers what a RemoteResolver asks by `port`, until that is closed. Keeps no event loop alive by itself. */
export function serveResolver(
  port: MessagePort,
  resolver: {
    ask(request: ResolveRequest, waiter: ResolveWaiter): void;
    refresh(request: ResolveRequest): void;
  },
  onFault: (fault: unknown) => void,
): void {
  port.on('message', ({ id, request }: QuestionMessage) => {
    if (id === REFRESH_ID) {
      resolver.refresh(request);
      return;
    }
    resolver.ask(request, {
      resolved(resolved) {
        const answer: AnswerMessage = { id, resolved: apart(resolved) };
        port.postMessage(answer);
      },
      failed(fault) {
        onFault(fault);
        const answer: AnswerMessage = { id, resolved: NOTHING };
        port.postMessage(answer);
      },
    });
  });
  port.unref();
}

/** The entry in memory of its own: with a view the whole of its memory is posted. */
function apart(resolved: Resolved): Resolved {
  return resolved.entry === null ? resolved : { ...resolved, entry: new Uint8Array(resolved.entry) };
}
