import type { Answerer } from '../answerer.ts';
import { DeferredKind, type DeferredRecord } from '../deferred-record.ts';
import { UDP_TRAITS } from './batch-answerer.ts';
import type { ReplyQueue } from './udp-listener.ts';

/** Resolves a query that a thread has deferred, and answers from the address that it was sent to. */
export function answerDeferred(
  record: DeferredRecord,
  answerer: Answerer,
  listeners: readonly { readonly replies: ReplyQueue }[],
): void {
  const { kind, query, receivedMs, source, endpoint } = record;
  if (kind === DeferredKind.REFRESH) {
    answerer.refresh(query);
    return;
  }
  if (answerer.givesUp(receivedMs)) return;
  const { replies } = listeners[record.listener];
  const isRegistered = kind === DeferredKind.REGISTERED;
  answerer.answerDeferred(query, source, receivedMs, UDP_TRAITS, isRegistered, (reply) => {
    if (reply !== null) replies.add(endpoint, reply);
  });
}
