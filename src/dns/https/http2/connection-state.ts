import { HpackDecoder } from '../hpack/decoder.ts';
import { MAX_UNREAD_BYTES } from '../protocol.ts';
import type { Refusal } from '../request.ts';
import { MAX_HEAD_BYTES } from '../request-head.ts';
import type { HttpsSession } from '../session.ts';
import { AbuseBudget } from './abuse-budget.ts';
import { ErrorCode } from './frame.ts';
import type { HeaderBlock } from './header-block.ts';
import { SendWindows } from './send-windows.ts';
import { PeerSettings } from './settings.ts';
import { Http2Stream, StreamHistory } from './stream.ts';
import { FrameWriter } from './writer.ts';

/** State of one HTTP/2 connection, which the receivers of frames read and change. */
export class ConnectionState {
  readonly session: HttpsSession;
  readonly writer: FrameWriter;
  readonly hpack: HpackDecoder;
  readonly settings = new PeerSettings();
  readonly abuse = new AbuseBudget();
  readonly history = new StreamHistory();
  /** Open streams: waiting for a body, for an upstream, or for the client's window. */
  readonly streams = new Map<number, Http2Stream>();
  readonly windows: SendWindows;
  /** Receives the reply of an upstream for a stream; valid during the call. */
  readonly onLateReply: (streamId: number, reply: Uint8Array) => void;
  /** The highest stream that is answered; GOAWAY names it. */
  lastAnswered = 0;
  /** The header block that CONTINUATION frames complete. */
  block: HeaderBlock | null = null;
  /** DATA bytes since the last WINDOW_UPDATE for the connection. */
  receivedBytes = 0;
  sawSettings = false;
  draining = false;
  /** Set after GOAWAY for an error, or when a draining connection has nothing left to answer. Nothing more is read. */
  closing = false;

  constructor(session: HttpsSession, onLateReply: (streamId: number, reply: Uint8Array) => void) {
    const { outbox, decoded, date } = session.buffers;
    this.session = session;
    this.onLateReply = onLateReply;
    this.writer = new FrameWriter(session.channel, outbox, date);
    this.hpack = new HpackDecoder(MAX_HEAD_BYTES, decoded);
    this.windows = new SendWindows(this.writer, this.streams, (stream) => {
      session.noteActivity();
      this.finishStream(stream);
    });
  }

  openStream(streamId: number, wantsBody: boolean): Http2Stream {
    const { contentLength } = this.session.buffers.head;
    const stream = new Http2Stream(
      streamId,
      this.session.now(),
      this.settings.initialWindow,
      true,
      contentLength,
    );
    stream.wantsBody = wantsBody;
    this.streams.set(streamId, stream);
    return stream;
  }

  openHalfClosed(streamId: number): Http2Stream {
    const stream = this.openStream(streamId, false);
    stream.isOpen = false;
    return stream;
  }

  /** Closes a stream whose response is sent. If its body is still arriving, asks for no more of it (RFC 9113 8.1). */
  finishStream(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (!stream.isOpen) return;
    this.writer.resetStream(stream.id, ErrorCode.NO_ERROR);
    this.history.end(stream.id);
  }

  refuse(streamId: number, endsStream: boolean, status: Refusal): void {
    this.writer.refusal(streamId, status);
    if (endsStream) return;
    this.writer.resetStream(streamId, ErrorCode.NO_ERROR);
    this.history.end(streamId);
  }

  /** Ends one stream for an error (RFC 9113 5.4.2). @returns an error for the connection if this is one too many */
  streamError(streamId: number, code: ErrorCode): ErrorCode {
    this.endStream(streamId, this.streams.get(streamId), code);
    return this.abuse.allowsStreamError() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
  }

  endStream(streamId: number, stream: Http2Stream | undefined, code: ErrorCode): void {
    if (stream !== undefined) this.forget(stream);
    this.history.end(streamId);
    this.writer.resetStream(streamId, code);
  }

  forget(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.windows.drop(stream);
  }

  /** Counts a frame that asks for nothing. */
  idleFrame(): ErrorCode {
    return this.abuse.allowsIdleFrame() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
  }

  /** True for a stream that was never opened; clients open odd ones (RFC 9113 5.1.1). */
  isIdle(streamId: number): boolean {
    return streamId > this.history.last || (streamId & 1) === 0;
  }

  /** Bounds the responses that the client leaves unread. */
  checkUnread(): ErrorCode {
    const unread = this.session.channel.unsentBytes + this.windows.heldBytes;
    return unread > MAX_UNREAD_BYTES ? ErrorCode.ENHANCE_YOUR_CALM : ErrorCode.NO_ERROR;
  }
}
