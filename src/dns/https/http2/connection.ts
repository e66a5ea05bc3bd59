import { lingeringClose } from '../linger.ts';
import type { HttpProtocol } from '../protocol.ts';
import type { HttpsSession } from '../session.ts';
import { sendAnswer } from './answer.ts';
import { ConnectionState } from './connection-state.ts';
import { ErrorCode, Flag, type Frame, FrameType } from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import {
  receiveGoaway,
  receivePing,
  receivePriority,
  receiveReset,
  receiveSettings,
  receiveWindowUpdate,
} from './receive/control.ts';
import { receiveData } from './receive/data.ts';
import { receiveContinuation, receiveHeaders } from './receive/headers.ts';
import { SERVER_SETTINGS } from './settings.ts';

/**
 * One HTTP/2 connection (RFC 9113), as far as DNS over HTTPS needs it. A GET that can be answered at once allocates no
 * stream: a stream exists only while something waits for a body, an upstream or the client's window.
 */
export class Http2Connection implements HttpProtocol, FrameSink {
  private readonly session: HttpsSession;
  private readonly state: ConnectionState;
  private readonly reader = new FrameReader();
  private reading = false;
  /** Time since which a frame is incomplete, in ms; 0: none is. */
  private partialSinceMs = 0;

  constructor(session: HttpsSession) {
    this.session = session;
    this.state = new ConnectionState(session, (streamId, reply) => this.answerLate(streamId, reply));
    this.state.writer.raw(SERVER_SETTINGS);
    this.flush();
  }

  get isBlocked(): boolean {
    return this.state.windows.heldBytes > 0;
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.state.closing) return;
    const pendingBefore = this.reader.pendingBytes;
    this.reading = true;
    this.reader.read(bytes, length, this);
    this.reading = false;
    const isSameFrame = pendingBefore > 0 && this.reader.pendingBytes === pendingBefore + length;
    if (this.reader.pendingBytes === 0) this.partialSinceMs = 0;
    else if (!isSameFrame) this.partialSinceMs = this.session.now();
    this.flush();
  }

  sent(): void {}

  ended(): void {
    this.state.draining = true;
    this.flush();
  }

  drain(): void {
    const { state } = this;
    if (!state.draining && !state.closing) state.writer.goaway(state.lastAnswered, ErrorCode.NO_ERROR);
    state.draining = true;
    this.flush();
  }

  closeForAbuse(): void {
    this.fail(ErrorCode.ENHANCE_YOUR_CALM);
    this.flush();
  }

  forbid(): void {
    const { state } = this;
    for (const stream of state.streams.values()) {
      state.windows.drop(stream);
      state.refuse(stream.id, !stream.isOpen, 403);
    }
    state.streams.clear();
    this.drain();
  }

  expireRequests(timeMs: number): void {
    if (this.partialSinceMs > 0 && this.partialSinceMs < timeMs) this.closeForAbuse();
    const { state } = this;
    if (state.closing || state.streams.size === 0) return;
    for (const stream of state.streams.values()) {
      if (stream.wantsBody && stream.openedAtMs < timeMs)
        state.endStream(stream.id, stream, ErrorCode.CANCEL);
    }
    this.flush();
  }

  notHttp2(): void {
    this.fail(ErrorCode.PROTOCOL_ERROR);
  }

  tooLong(): void {
    this.fail(ErrorCode.FRAME_SIZE_ERROR);
  }

  frame(frame: Frame): boolean {
    const code = this.receive(frame);
    if (code !== ErrorCode.NO_ERROR) this.fail(code);
    return !this.state.closing && !this.session.channel.isClosed;
  }

  /** @returns NO_ERROR, or the error that ends the connection */
  private receive(frame: Frame): ErrorCode {
    const { state } = this;
    const { type } = frame;
    // The client's preface ends with SETTINGS (RFC 9113 3.4).
    if (!state.sawSettings && (type !== FrameType.SETTINGS || (frame.flags & Flag.ACK) !== 0)) {
      return ErrorCode.PROTOCOL_ERROR;
    }
    // No frame may interrupt a header block (4.3).
    if (state.block !== null && type !== FrameType.CONTINUATION) return ErrorCode.PROTOCOL_ERROR;
    switch (type) {
      case FrameType.HEADERS:
        return receiveHeaders(state, frame);
      case FrameType.DATA:
        return receiveData(state, frame);
      case FrameType.CONTINUATION:
        return receiveContinuation(state, frame);
      case FrameType.RST_STREAM:
        return receiveReset(state, frame);
      case FrameType.WINDOW_UPDATE:
        return receiveWindowUpdate(state, frame);
      case FrameType.SETTINGS:
        return receiveSettings(state, frame);
      case FrameType.PING:
        return receivePing(state, frame);
      case FrameType.PRIORITY:
        return receivePriority(state, frame);
      case FrameType.GOAWAY:
        return receiveGoaway(state, frame);
      case FrameType.PUSH_PROMISE:
        return ErrorCode.PROTOCOL_ERROR;
      default:
        // Unknown types are extensions: ignore them (4.1).
        return state.idleFrame();
    }
  }

  private answerLate(streamId: number, reply: Uint8Array): void {
    const { state } = this;
    if (state.closing) return;
    const stream = state.streams.get(streamId);
    // Undefined if the client has reset it.
    if (stream !== undefined) this.failUnlessSound(sendAnswer(state, streamId, stream, reply, reply.length));
    this.flush();
  }

  private failUnlessSound(code: ErrorCode): void {
    if (code !== ErrorCode.NO_ERROR) this.fail(code);
  }

  /** Ends the connection for an error (RFC 9113 5.4.1). */
  private fail(code: ErrorCode): void {
    const { state } = this;
    if (state.closing) return;
    state.closing = true;
    if (code === ErrorCode.ENHANCE_YOUR_CALM) this.session.countLimit();
    state.streams.clear();
    state.block = null;
    state.windows.dropAll();
    state.writer.goaway(state.lastAnswered, code);
    this.end();
  }

  /** Writes what the outbox holds, and ends a draining connection once nothing is left to answer. */
  private flush(): void {
    if (this.reading) return;
    const { state } = this;
    this.session.buffers.outbox.flush();
    this.failUnlessSound(state.checkUnread());
    if (!state.draining || state.closing || state.streams.size > 0) return;
    state.closing = true;
    this.end();
  }

  private end(): void {
    this.session.buffers.outbox.flush();
    lingeringClose(this.session.channel);
  }
}
