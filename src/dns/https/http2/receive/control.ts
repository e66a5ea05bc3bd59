import type { ConnectionState } from '../connection-state.ts';
import { ErrorCode, Flag, type Frame, readU31 } from '../frame.ts';

/** Payload of PRIORITY, and of HEADERS' priority fields. */
export const PRIORITY_BYTES = 5;
const PING_BYTES = 8;
const GOAWAY_BYTES = 8;
const WORD_BYTES = 4;

/** RST_STREAM (RFC 9113 6.4). */
export function receiveReset(state: ConnectionState, { streamId, start, end }: Frame): ErrorCode {
  if (streamId === 0 || state.isIdle(streamId)) return ErrorCode.PROTOCOL_ERROR;
  if (end - start !== WORD_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
  const stream = state.streams.get(streamId);
  if (stream === undefined) return state.idleFrame();
  state.forget(stream);
  return state.abuse.allowsReset() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
}

/** WINDOW_UPDATE (RFC 9113 6.9). */
export function receiveWindowUpdate(
  state: ConnectionState,
  { streamId, bytes, start, end }: Frame,
): ErrorCode {
  const { windows } = state;
  if (end - start !== WORD_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
  if (state.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
  const increment = readU31(bytes, start);
  if (streamId === 0) {
    if (increment === 0) return ErrorCode.PROTOCOL_ERROR;
    return windows.widenConnection(increment) ? ErrorCode.NO_ERROR : ErrorCode.FLOW_CONTROL_ERROR;
  }
  if (state.isIdle(streamId)) return ErrorCode.PROTOCOL_ERROR;
  const stream = state.streams.get(streamId);
  if (stream === undefined) return ErrorCode.NO_ERROR;
  if (increment === 0) return state.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
  if (windows.widen(stream, increment)) return ErrorCode.NO_ERROR;
  return state.streamError(streamId, ErrorCode.FLOW_CONTROL_ERROR);
}

/** SETTINGS (RFC 9113 6.5). */
export function receiveSettings(
  state: ConnectionState,
  { flags, streamId, bytes, start, end }: Frame,
): ErrorCode {
  if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
  if ((flags & Flag.ACK) !== 0) return start === end ? state.idleFrame() : ErrorCode.FRAME_SIZE_ERROR;
  state.sawSettings = true;
  if (state.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
  const before = state.settings.initialWindow;
  const code = state.settings.read(bytes, start, end);
  if (code !== ErrorCode.NO_ERROR) return code;
  state.writer.settingsAck();
  const fits = state.windows.moveAll(state.settings.initialWindow - before);
  return fits ? ErrorCode.NO_ERROR : ErrorCode.FLOW_CONTROL_ERROR;
}

/** PING (RFC 9113 6.7). */
export function receivePing(
  state: ConnectionState,
  { flags, streamId, bytes, start, end }: Frame,
): ErrorCode {
  if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
  if (end - start !== PING_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
  if ((flags & Flag.ACK) === 0) state.writer.pingAck(bytes, start);
  return state.idleFrame();
}

/** PRIORITY (RFC 9113 6.3). */
export function receivePriority(state: ConnectionState, { streamId, start, end }: Frame): ErrorCode {
  if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
  if (end - start === PRIORITY_BYTES) return state.idleFrame();
  // An idle stream cannot be reset (6.4), so its error is the connection's.
  return state.isIdle(streamId)
    ? ErrorCode.FRAME_SIZE_ERROR
    : state.streamError(streamId, ErrorCode.FRAME_SIZE_ERROR);
}

/** GOAWAY of a client that leaves (RFC 9113 6.8). */
export function receiveGoaway(state: ConnectionState, { streamId, start, end }: Frame): ErrorCode {
  if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
  return end - start < GOAWAY_BYTES ? ErrorCode.FRAME_SIZE_ERROR : state.idleFrame();
}
