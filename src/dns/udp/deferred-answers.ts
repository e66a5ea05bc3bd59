import { Tried } from '../../resolver/forward/index.ts';
import type { Answerer } from '../answerer.ts';
import { DeferredKind, type DeferredRecord } from '../deferred-record.ts';
import type { ReplyQueue } from './udp-listener.ts';
import { UDP_TRAITS } from './udp-traits.ts';

/** Resolves a query that a thread has deferred, and answers from the address that was asked. */
export function answerDeferred(
  record: DeferredRecord,
  answerer: Answerer,
  listeners: readonly { readonly replies: ReplyQueue }[],
): void {
  const { kind, tried, query, receivedMs, source, endpoint } = record;
  if (kind === DeferredKind.LATE_REPLY) {
    answerer.takeLate(query, record.dnssecOk, record.checkingDisabled);
    return;
  }
  if (kind === DeferredKind.REFRESH) {
    answerer.refresh(query);
    return;
  }
  // Load shedding is for queries that waited for us. These have waited for an upstream.
  if (tried === Tried.NOTHING && answerer.givesUp(receivedMs)) return;
  const { replies } = listeners[record.listener];
  const isRegistered = kind === DeferredKind.REGISTERED;
  answerer.answerDeferred(query, source, receivedMs, UDP_TRAITS, isRegistered, tried, (reply) => {
    if (reply !== null) replies.add(endpoint, reply);
  });
}
