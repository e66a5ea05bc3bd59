import { DEFERRED } from '../../verdict.ts';
import { NO_REPLY } from '../protocol.ts';
import type { ConnectionState } from './connection-state.ts';
import { ErrorCode } from './frame.ts';
import type { Http2Stream } from './stream.ts';

/**
 * Asks the query in `bytes[start, end)` and answers it, now or when an upstream has replied.
 * @param stream null for a request that is whole and needs no stream so far
 */
export function askQuery(
  state: ConnectionState,
  streamId: number,
  stream: Http2Stream | null,
  bytes: Uint8Array,
  start: number,
  end: number,
): ErrorCode {
  const { session } = state;
  const length = session.ask(bytes, start, end);
  if (length === DEFERRED) {
    if (stream === null) state.openHalfClosed(streamId);
    session.defer(new Uint8Array(bytes.subarray(start, end)), (reply) => state.onLateReply(streamId, reply));
    return ErrorCode.NO_ERROR;
  }
  return length === NO_REPLY
    ? ErrorCode.NO_ERROR
    : sendAnswer(state, streamId, stream, session.reply, length);
}

/** Sends as much of an answer as the windows allow; the stream holds the rest. */
export function sendAnswer(
  state: ConnectionState,
  streamId: number,
  stream: Http2Stream | null,
  reply: Uint8Array,
  length: number,
): ErrorCode {
  const { windows } = state;
  state.writer.answerHead(streamId, reply, length);
  const window = stream === null ? state.settings.initialWindow : stream.sendWindow;
  if (!windows.sendWhole(streamId, window, reply, length)) {
    windows.hold(stream ?? state.openHalfClosed(streamId), new Uint8Array(reply.subarray(0, length)));
  } else if (stream !== null) state.finishStream(stream);
  return state.checkUnread();
}
