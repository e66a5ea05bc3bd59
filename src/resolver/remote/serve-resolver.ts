import type { MessagePort } from 'node:worker_threads';
import type { Resolved } from '../request.ts';
import type { Resolver } from '../resolver.ts';
import { type AnswerMessage, type QuestionMessage, REFRESH_ID, SERVFAIL } from './messages.ts';

/** Answers a RemoteResolver's questions until the port is closed. The port alone keeps no event loop alive. */
export function serveResolver(
  port: MessagePort,
  resolver: Pick<Resolver, 'ask' | 'refresh'>,
  onError: (error: unknown) => void,
): void {
  port.on('message', ({ id, request, source }: QuestionMessage) => {
    const post = (resolved: Resolved): void => {
      const answer: AnswerMessage = { id, resolved };
      port.postMessage(answer);
    };
    if (id === REFRESH_ID) {
      resolver.refresh(request);
      return;
    }
    resolver.ask(request, {
      ...(source !== undefined && { source }),
      resolved: (resolved) => post(withOwnBuffer(resolved)),
      failed(error) {
        onError(error);
        post(SERVFAIL);
      },
    });
  });
  port.unref();
}

/** Copies the entry: posting a view posts the whole buffer behind it. */
function withOwnBuffer(resolved: Resolved): Resolved {
  return resolved.entry === null ? resolved : { ...resolved, entry: new Uint8Array(resolved.entry) };
}
