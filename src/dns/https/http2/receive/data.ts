import { isQuery, MAX_QUERY_BYTES } from '../../request.ts';
import { askQuery } from '../answer.ts';
import type { ConnectionState } from '../connection-state.ts';
import { DEFAULT_WINDOW_BYTES, ErrorCode, Flag, type Frame } from '../frame.ts';
import type { Http2Stream } from '../stream.ts';

/** DATA bytes after which the connection's window is opened again. */
const WINDOW_UPDATE_BYTES = DEFAULT_WINDOW_BYTES >> 1;

/** DATA (RFC 9113 6.1). */
export function receiveData(state: ConnectionState, frame: Frame): ErrorCode {
  const { flags, streamId, bytes, start, end } = frame;
  if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
  let from = start;
  let to = end;
  if ((flags & Flag.PADDED) !== 0) {
    if (from === to) return ErrorCode.FRAME_SIZE_ERROR;
    to -= bytes[from++]!;
    if (from > to) return ErrorCode.PROTOCOL_ERROR;
  }
  const code = countForConnection(state, end - start);
  if (code !== ErrorCode.NO_ERROR) return code;
  const stream = state.streams.get(streamId);
  if (stream === undefined) return receiveStrayData(state, streamId);
  if (!stream.isOpen) return state.streamError(streamId, ErrorCode.STREAM_CLOSED);
  stream.received += end - start;
  if (stream.received > DEFAULT_WINDOW_BYTES) {
    return state.streamError(streamId, ErrorCode.FLOW_CONTROL_ERROR);
  }
  const endsStream = (flags & Flag.END_STREAM) !== 0;
  if (endsStream) stream.isOpen = false;
  else if (from === to && state.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
  return stream.wantsBody ? receiveBody(state, stream, bytes, from, to, endsStream) : ErrorCode.NO_ERROR;
}

/** Whole frames count, padding and frames of closed streams included (RFC 9113 6.9). */
function countForConnection(state: ConnectionState, length: number): ErrorCode {
  state.receivedBytes += length;
  if (state.receivedBytes > DEFAULT_WINDOW_BYTES) return ErrorCode.FLOW_CONTROL_ERROR;
  if (state.receivedBytes >= WINDOW_UPDATE_BYTES) {
    state.writer.windowUpdate(0, state.receivedBytes);
    state.receivedBytes = 0;
  }
  return ErrorCode.NO_ERROR;
}

/** DATA for a stream that is not open. */
function receiveStrayData(state: ConnectionState, streamId: number): ErrorCode {
  if (state.isIdle(streamId)) return ErrorCode.PROTOCOL_ERROR;
  if (state.draining || state.history.wasEndedHere(streamId)) return state.idleFrame();
  return state.streamError(streamId, ErrorCode.STREAM_CLOSED);
}

function receiveBody(
  state: ConnectionState,
  stream: Http2Stream,
  bytes: Uint8Array,
  start: number,
  end: number,
  endsStream: boolean,
): ErrorCode {
  if (stream.bodyLength + end - start > MAX_QUERY_BYTES) {
    state.streams.delete(stream.id);
    state.refuse(stream.id, endsStream, 413);
    return ErrorCode.NO_ERROR;
  }
  if (endsStream) return endBody(state, stream, bytes, start, end);
  stream.appendBody(bytes, start, end);
  return ErrorCode.NO_ERROR;
}

/** Asks the query of a complete body. @param bytes its last part, in `bytes[start, end)` */
export function endBody(
  state: ConnectionState,
  stream: Http2Stream,
  bytes: Uint8Array,
  start: number,
  end: number,
): ErrorCode {
  stream.wantsBody = false;
  let body = bytes;
  let from = start;
  let to = end;
  if (stream.bodyLength > 0) {
    stream.appendBody(bytes, start, end);
    body = stream.body!;
    from = 0;
    to = stream.bodyLength;
    stream.body = null;
  }
  // RFC 9113 8.1.1: a body of another length than announced is malformed.
  if (stream.contentLength >= 0 && stream.contentLength !== to - from) {
    return state.streamError(stream.id, ErrorCode.PROTOCOL_ERROR);
  }
  if (isQuery(body, from, to)) return askQuery(state, stream.id, stream, body, from, to);
  state.streams.delete(stream.id);
  state.refuse(stream.id, true, 400);
  return ErrorCode.NO_ERROR;
}
