import { Decoded } from '../../hpack/decoder.ts';
import { DohMessage, readDohRequest } from '../../request.ts';
import { askQuery } from '../answer.ts';
import type { ConnectionState } from '../connection-state.ts';
import { ErrorCode, Flag, type Frame } from '../frame.ts';
import { HeaderBlock } from '../header-block.ts';
import { MAX_CONCURRENT_STREAMS } from '../settings.ts';
import { PRIORITY_BYTES } from './control.ts';
import { endBody } from './data.ts';

const NO_BODY = new Uint8Array(0);

/** HEADERS (RFC 9113 6.2). */
export function receiveHeaders(state: ConnectionState, frame: Frame): ErrorCode {
  const { flags, streamId, bytes, start, end } = frame;
  if ((streamId & 1) === 0) return ErrorCode.PROTOCOL_ERROR;
  let from = start;
  let to = end;
  if ((flags & Flag.PADDED) !== 0) {
    if (from === to) return ErrorCode.FRAME_SIZE_ERROR;
    to -= bytes[from++]!;
  }
  // RFC 9113 5.3 deprecates priorities: skip them.
  if ((flags & Flag.PRIORITY) !== 0) from += PRIORITY_BYTES;
  if (from > to) return from > end ? ErrorCode.FRAME_SIZE_ERROR : ErrorCode.PROTOCOL_ERROR;
  const endsStream = (flags & Flag.END_STREAM) !== 0;
  if ((flags & Flag.END_HEADERS) !== 0) return receiveBlock(state, streamId, endsStream, bytes, from, to);
  state.block = new HeaderBlock(streamId, endsStream, new Uint8Array(bytes.subarray(from, to)));
  return ErrorCode.NO_ERROR;
}

/** CONTINUATION (RFC 9113 6.10). */
export function receiveContinuation(state: ConnectionState, frame: Frame): ErrorCode {
  const { block } = state;
  const { flags, streamId, bytes, start, end } = frame;
  if (block === null || block.streamId !== streamId) return ErrorCode.PROTOCOL_ERROR;
  if (!block.append(bytes, start, end)) return ErrorCode.ENHANCE_YOUR_CALM;
  if ((flags & Flag.END_HEADERS) === 0) return ErrorCode.NO_ERROR;
  state.block = null;
  return receiveBlock(state, streamId, block.endsStream, block.bytes, 0, block.bytes.length);
}

/** A whole header block. Always decoded, even for a refused request: later blocks refer to its fields (RFC 9113 4.3). */
function receiveBlock(
  state: ConnectionState,
  streamId: number,
  endsStream: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
): ErrorCode {
  const { history } = state;
  const { head } = state.session.buffers;
  const isNew = streamId > history.last;
  head.begin(!isNew);
  const decoded = state.hpack.decode(bytes, start, end, head);
  if (decoded === Decoded.MALFORMED) return ErrorCode.COMPRESSION_ERROR;
  if (!isNew) return receiveTrailers(state, streamId, endsStream, decoded);
  history.open(streamId);
  // After GOAWAY the client knows that newer streams are not answered (6.8).
  if (state.draining) return ErrorCode.NO_ERROR;
  state.lastAnswered = streamId;
  state.abuse.countRequest();
  if (state.streams.size >= MAX_CONCURRENT_STREAMS) {
    return state.streamError(streamId, ErrorCode.REFUSED_STREAM);
  }
  if (decoded === Decoded.TOO_LARGE) {
    state.refuse(streamId, endsStream, 431);
    return ErrorCode.NO_ERROR;
  }
  if (!head.isWhole()) return state.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
  return receiveRequest(state, streamId, endsStream);
}

function receiveRequest(state: ConnectionState, streamId: number, endsStream: boolean): ErrorCode {
  const { head, query } = state.session.buffers;
  const request = readDohRequest(head, query, state.session);
  if (request === DohMessage.IN_QUERY) {
    const stream = endsStream ? null : state.openStream(streamId, false);
    return askQuery(state, streamId, stream, query.bytes, 0, query.length);
  }
  if (request !== DohMessage.IN_BODY) {
    state.refuse(streamId, endsStream, request);
    if (request === 403) state.session.drain();
  } else if (!endsStream) state.openStream(streamId, true);
  else if (head.contentLength > 0) return state.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
  else state.refuse(streamId, endsStream, 400);
  return ErrorCode.NO_ERROR;
}

/** Trailers (RFC 9113 8.1), or HEADERS for a stream that does not expect any. */
function receiveTrailers(
  state: ConnectionState,
  streamId: number,
  endsStream: boolean,
  decoded: Decoded,
): ErrorCode {
  const stream = state.streams.get(streamId);
  if (stream === undefined) {
    if (state.history.wasEndedHere(streamId)) return state.idleFrame();
    return state.history.wasSkipped(streamId) ? ErrorCode.PROTOCOL_ERROR : ErrorCode.STREAM_CLOSED;
  }
  if (!stream.isOpen) return state.streamError(streamId, ErrorCode.STREAM_CLOSED);
  const isSound = endsStream && decoded === Decoded.WHOLE && state.session.buffers.head.isWhole();
  if (!isSound) return state.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
  stream.isOpen = false;
  return stream.wantsBody ? endBody(state, stream, NO_BODY, 0, 0) : ErrorCode.NO_ERROR;
}
