import { DEFERRED } from '../../verdict.ts';
import { Decoded, HpackDecoder } from '../hpack/decoder.ts';
import {
  endSoon,
  type HttpConnection,
  type HttpHost,
  MAX_UNREAD_BYTES,
  NO_REPLY,
} from '../http-connection.ts';
import { Asks, isQuery, MAX_QUERY_BYTES, type Refusal, readDohRequest } from '../request.ts';
import { MAX_HEAD_BYTES } from '../request-head.ts';
import { CalmBudget } from './calm.ts';
import { DEFAULT_WINDOW_BYTES, ErrorCode, Flag, FrameType, readU31 } from './frame.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { HeaderBlock } from './header-block.ts';
import { SendWindows } from './send-windows.ts';
import { MAX_CONCURRENT_STREAMS, PeerSettings, SERVER_SETTINGS } from './settings.ts';
import { Http2Stream, StreamHistory } from './stream.ts';
import { FrameWriter } from './writer.ts';

/** Bytes of DATA that came before the connection's window is opened again by as much. */
const WINDOW_UPDATE_BYTES = DEFAULT_WINDOW_BYTES >> 1;
const PRIORITY_BYTES = 5;
const PING_BYTES = 8;
const GOAWAY_BYTES = 8;
const WORD_BYTES = 4;

/**
 * One connection of HTTP/2 (RFC 9113) as DNS over HTTPS needs it. A GET that can be answered at once is answered from the
 * frame that asks it, and leaves nothing behind; a stream is kept for what waits: for a body, for an upstream, or for the
 * client's window.
 */
export class Http2Connection implements HttpConnection, FrameSink {
  private readonly host: HttpHost;
  private readonly reader = new FrameReader();
  private readonly writer: FrameWriter;
  private readonly hpack: HpackDecoder;
  private readonly settings = new PeerSettings();
  private readonly calmBudget = new CalmBudget();
  private readonly history = new StreamHistory();
  /** The highest stream that is answered: what GOAWAY names. */
  private lastTaken = 0;
  private readonly streams = new Map<number, Http2Stream>();
  private readonly windows: SendWindows;
  private block: HeaderBlock | null = null;
  /** What came on all streams since the client was last told that it may send as much again. */
  private received = 0;
  private sawSettings = false;
  private reading = false;
  private draining = false;
  /** GOAWAY was sent for a fault, or all has been answered after it: what comes is not read. */
  private closing = false;
  /** Since when a frame is not whole, in ms; 0: all are. */
  private partialSinceMs = 0;

  constructor(host: HttpHost) {
    const { outbox, scratch, date } = host.thread;
    this.host = host;
    this.writer = new FrameWriter(host.channel, outbox, date);
    this.windows = new SendWindows(this.writer, this.streams, (stream) => {
      host.noteActivity();
      this.finishStream(stream);
    });
    this.hpack = new HpackDecoder(MAX_HEAD_BYTES, scratch);
    this.writer.raw(SERVER_SETTINGS);
    this.flush();
  }

  get isBlocked(): boolean {
    return this.windows.heldBytes > 0;
  }

  read(bytes: Uint8Array, length: number): void {
    if (this.closing) return;
    const wasPartial = this.reader.pendingBytes;
    this.reading = true;
    this.reader.read(bytes, length, this);
    this.reading = false;
    const grew = wasPartial > 0 && this.reader.pendingBytes === wasPartial + length;
    if (this.reader.pendingBytes === 0) this.partialSinceMs = 0;
    else if (!grew) this.partialSinceMs = this.host.now();
    this.flush();
  }

  sent(): void {}

  ended(): void {
    this.draining = true;
    this.flush();
  }

  drain(): void {
    if (!this.draining && !this.closing) this.writer.goaway(this.lastTaken, ErrorCode.NO_ERROR);
    this.draining = true;
    this.flush();
  }

  calm(): void {
    this.fail(ErrorCode.ENHANCE_YOUR_CALM);
    this.flush();
  }

  giveUpBefore(timeMs: number): void {
    const isLate = this.partialSinceMs > 0 && this.partialSinceMs < timeMs;
    if (isLate) this.calm();
    if (this.closing || this.streams.size === 0) return;
    for (const stream of this.streams.values()) {
      if (stream.wantsBody && stream.openedAtMs < timeMs) this.endStream(stream.id, stream, ErrorCode.CANCEL);
    }
    this.flush();
  }

  notHttp2(): void {
    this.fail(ErrorCode.PROTOCOL_ERROR);
  }

  tooLong(): void {
    this.fail(ErrorCode.FRAME_SIZE_ERROR);
  }

  frame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const code = this.takeFrame(type, flags, streamId, bytes, start, end);
    if (code !== ErrorCode.NO_ERROR) this.fail(code);
    return !this.closing && !this.host.channel.isClosed;
  }

  /** @returns NO_ERROR, or what ends the connection */
  private takeFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    // The preface ends with SETTINGS (3.4).
    if (!this.sawSettings && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      return ErrorCode.PROTOCOL_ERROR;
    }
    // A header block is not interrupted (4.3).
    if (this.block !== null && type !== FrameType.CONTINUATION) return ErrorCode.PROTOCOL_ERROR;
    switch (type) {
      case FrameType.HEADERS:
        return this.takeHeaders(flags, streamId, bytes, start, end);
      case FrameType.DATA:
        return this.takeData(flags, streamId, bytes, start, end);
      case FrameType.CONTINUATION:
        return this.takeContinuation(flags, streamId, bytes, start, end);
      case FrameType.RST_STREAM:
        return this.takeReset(streamId, end - start);
      case FrameType.WINDOW_UPDATE:
        return this.takeWindowUpdate(streamId, bytes, start, end);
      case FrameType.SETTINGS:
        return this.takeSettings(flags, streamId, bytes, start, end);
      case FrameType.PING:
        return this.takePing(flags, streamId, bytes, start, end);
      case FrameType.PRIORITY:
        return this.takePriority(streamId, end - start);
      case FrameType.GOAWAY:
        return this.takeGoaway(streamId, end - start);
      case FrameType.PUSH_PROMISE:
        return ErrorCode.PROTOCOL_ERROR;
      default:
        // Extensions are ignored (4.1).
        return this.idleFrame();
    }
  }

  private idleFrame(): ErrorCode {
    return this.calmBudget.takeIdleFrame() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
  }

  /** RFC 9113 6.2. */
  private takeHeaders(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    if ((streamId & 1) === 0) return ErrorCode.PROTOCOL_ERROR;
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      if (from === to) return ErrorCode.FRAME_SIZE_ERROR;
      to -= bytes[from++]!;
    }
    // Priorities are not followed any more (5.3).
    if ((flags & Flag.PRIORITY) !== 0) from += PRIORITY_BYTES;
    if (from > to) return from > end ? ErrorCode.FRAME_SIZE_ERROR : ErrorCode.PROTOCOL_ERROR;
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return this.takeBlock(streamId, endsStream, bytes, from, to);
    this.block = new HeaderBlock(streamId, endsStream, new Uint8Array(bytes.subarray(from, to)));
    return ErrorCode.NO_ERROR;
  }

  /** RFC 9113 6.10. */
  private takeContinuation(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    const { block } = this;
    if (block === null || block.streamId !== streamId) return ErrorCode.PROTOCOL_ERROR;
    if (!block.append(bytes, start, end)) return ErrorCode.ENHANCE_YOUR_CALM;
    if ((flags & Flag.END_HEADERS) === 0) return ErrorCode.NO_ERROR;
    this.block = null;
    return this.takeBlock(streamId, block.endsStream, block.bytes, 0, block.bytes.length);
  }

  /** A whole header block. It is decoded whatever becomes of it, as the next ones build on it (RFC 9113 4.3). */
  private takeBlock(
    streamId: number,
    endsStream: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    const { head } = this.host.thread;
    const isNew = streamId > this.history.last;
    head.begin(!isNew);
    const decoded = this.hpack.decode(bytes, start, end, head);
    if (decoded === Decoded.MALFORMED) return ErrorCode.COMPRESSION_ERROR;
    if (!isNew) return this.takeTrailers(streamId, endsStream, decoded);
    this.history.open(streamId);
    // What comes after GOAWAY is not answered, and the client knows it (6.8).
    if (this.draining) return ErrorCode.NO_ERROR;
    this.lastTaken = streamId;
    this.calmBudget.takeRequest();
    if (this.streams.size >= MAX_CONCURRENT_STREAMS) {
      return this.streamError(streamId, ErrorCode.REFUSED_STREAM);
    }
    if (decoded === Decoded.TOO_LARGE) this.refuse(streamId, endsStream, 431);
    else if (!head.isWhole()) return this.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
    else this.takeRequest(streamId, endsStream);
    return ErrorCode.NO_ERROR;
  }

  private takeRequest(streamId: number, endsStream: boolean): void {
    const { head, query } = this.host.thread;
    const asked = readDohRequest(head, query);
    if (asked === Asks.MESSAGE) {
      const stream = endsStream ? null : this.openStream(streamId, false);
      this.ask(streamId, stream, query.bytes, 0, query.length);
    } else if (asked !== Asks.BODY) this.refuse(streamId, endsStream, asked);
    else if (endsStream) {
      if (head.contentLength > 0) this.malformed(streamId);
      else this.refuse(streamId, endsStream, 400);
    } else this.openStream(streamId, true);
  }

  private openStream(streamId: number, wantsBody: boolean): Http2Stream {
    const { initialWindow } = this.settings;
    const { contentLength } = this.host.thread.head;
    const stream = new Http2Stream(streamId, this.host.now(), initialWindow, true, contentLength);
    stream.wantsBody = wantsBody;
    this.streams.set(streamId, stream);
    return stream;
  }

  /** Trailers (RFC 9113 8.1), or HEADERS where none may be. */
  private takeTrailers(streamId: number, endsStream: boolean, decoded: Decoded): ErrorCode {
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (this.history.wasEndedHere(streamId)) return this.idleFrame();
      return this.history.wasSkipped(streamId) ? ErrorCode.PROTOCOL_ERROR : ErrorCode.STREAM_CLOSED;
    }
    if (!stream.isOpen) return this.streamError(streamId, ErrorCode.STREAM_CLOSED);
    const isSound = endsStream && decoded === Decoded.WHOLE && this.host.thread.head.isWhole();
    if (!isSound) return this.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
    stream.isOpen = false;
    if (stream.wantsBody) this.finishBody(stream, NO_BODY, 0, 0);
    return ErrorCode.NO_ERROR;
  }

  /** RFC 9113 6.1. */
  private takeData(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      if (from === to) return ErrorCode.FRAME_SIZE_ERROR;
      to -= bytes[from++]!;
      if (from > to) return ErrorCode.PROTOCOL_ERROR;
    }
    // All of it counts for the windows, also that of streams that have ended (6.9).
    const overran = this.received + end - start > DEFAULT_WINDOW_BYTES;
    if (overran) return ErrorCode.FLOW_CONTROL_ERROR;
    this.received += end - start;
    if (this.received >= WINDOW_UPDATE_BYTES) {
      this.writer.windowUpdate(0, this.received);
      this.received = 0;
    }
    const endsStream = (flags & Flag.END_STREAM) !== 0;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.takeStrayData(streamId);
    if (!stream.isOpen) return this.streamError(streamId, ErrorCode.STREAM_CLOSED);
    stream.received += end - start;
    if (stream.received > DEFAULT_WINDOW_BYTES) {
      return this.streamError(streamId, ErrorCode.FLOW_CONTROL_ERROR);
    }
    if (endsStream) stream.isOpen = false;
    else if (from === to && this.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
    if (stream.wantsBody) this.takeBody(stream, bytes, from, to, endsStream);
    return ErrorCode.NO_ERROR;
  }

  private takeStrayData(streamId: number): ErrorCode {
    if (streamId > this.history.last || (streamId & 1) === 0) return ErrorCode.PROTOCOL_ERROR;
    if (this.draining || this.history.wasEndedHere(streamId)) return this.idleFrame();
    return this.streamError(streamId, ErrorCode.STREAM_CLOSED);
  }

  private takeBody(
    stream: Http2Stream,
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
  ): void {
    if (stream.bodyLength + end - start > MAX_QUERY_BYTES) {
      this.streams.delete(stream.id);
      this.refuse(stream.id, endsStream, 413);
    } else if (endsStream) this.finishBody(stream, bytes, start, end);
    else stream.appendBody(bytes, start, end);
  }

  /** Asks what the body says, of which the rest stands in `bytes`. */
  private finishBody(stream: Http2Stream, bytes: Uint8Array, start: number, end: number): void {
    stream.wantsBody = false;
    let [body, from, to] = [bytes, start, end];
    if (stream.bodyLength > 0) {
      stream.appendBody(bytes, start, end);
      [body, from, to] = [stream.body!, 0, stream.bodyLength];
      stream.body = null;
    }
    // What the head says otherwise is no request (RFC 9113 8.1.1).
    if (stream.contentLength >= 0 && stream.contentLength !== to - from) this.malformed(stream.id);
    else if (isQuery(body, from, to)) this.ask(stream.id, stream, body, from, to);
    else {
      this.streams.delete(stream.id);
      this.refuse(stream.id, true, 400);
    }
  }

  private ask(
    streamId: number,
    stream: Http2Stream | null,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { host } = this;
    const length = host.ask(bytes, start, end);
    if (length === DEFERRED) {
      if (stream === null) this.openHalfClosed(streamId);
      host.defer(new Uint8Array(bytes.subarray(start, end)), (reply) => this.answerLate(streamId, reply));
    } else if (length !== NO_REPLY) this.answer(streamId, stream, host.reply, length);
  }

  private answerLate(streamId: number, reply: Uint8Array): void {
    const stream = this.streams.get(streamId);
    if (this.closing) return;
    // The client may have given it up.
    if (stream !== undefined) this.answer(streamId, stream, reply, reply.length);
    this.flush();
  }

  private answer(streamId: number, stream: Http2Stream | null, reply: Uint8Array, length: number): void {
    this.writer.answerHead(streamId, reply, length);
    const window = stream === null ? this.settings.initialWindow : stream.sendWindow;
    if (!this.windows.sendWhole(streamId, window, reply, length)) {
      const held = stream ?? this.openHalfClosed(streamId);
      this.windows.hold(held, new Uint8Array(reply.subarray(0, length)));
    } else if (stream !== null) this.finishStream(stream);
    this.checkUnread();
  }

  private checkUnread(): void {
    const unread = this.host.channel.unsentBytes + this.windows.heldBytes;
    if (unread > MAX_UNREAD_BYTES) this.fail(ErrorCode.ENHANCE_YOUR_CALM);
  }

  private openHalfClosed(streamId: number): Http2Stream {
    const stream = this.openStream(streamId, false);
    stream.isOpen = false;
    return stream;
  }

  /** A stream that has its response. Of a body that is not taken no more is to be sent (RFC 9113 8.1). */
  private finishStream(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    if (!stream.isOpen) return;
    this.writer.resetStream(stream.id, ErrorCode.NO_ERROR);
    this.history.end(stream.id);
  }

  private refuse(streamId: number, endsStream: boolean, status: Refusal): void {
    this.writer.refusal(streamId, status);
    if (endsStream) return;
    this.writer.resetStream(streamId, ErrorCode.NO_ERROR);
    this.history.end(streamId);
  }

  private malformed(streamId: number): void {
    const code = this.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
    if (code !== ErrorCode.NO_ERROR) this.fail(code);
  }

  /** Ends one stream for a fault (RFC 9113 5.4.2). @returns what ends the connection, where it is one too many */
  private streamError(streamId: number, code: ErrorCode): ErrorCode {
    this.endStream(streamId, this.streams.get(streamId), code);
    return this.calmBudget.takeStreamError() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
  }

  private endStream(streamId: number, stream: Http2Stream | undefined, code: ErrorCode): void {
    if (stream !== undefined) this.forget(stream);
    this.history.end(streamId);
    this.writer.resetStream(streamId, code);
  }

  private forget(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.windows.drop(stream);
  }

  /** RFC 9113 6.4. */
  private takeReset(streamId: number, length: number): ErrorCode {
    if (streamId === 0 || this.isIdle(streamId)) return ErrorCode.PROTOCOL_ERROR;
    if (length !== WORD_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return this.idleFrame();
    this.forget(stream);
    return this.calmBudget.takeReset() ? ErrorCode.NO_ERROR : ErrorCode.ENHANCE_YOUR_CALM;
  }

  /** RFC 9113 6.9. */
  private takeWindowUpdate(streamId: number, bytes: Uint8Array, start: number, end: number): ErrorCode {
    if (end - start !== WORD_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
    if (this.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
    const increment = readU31(bytes, start);
    if (streamId === 0) {
      if (increment === 0) return ErrorCode.PROTOCOL_ERROR;
      return this.windows.widenConnection(increment) ? ErrorCode.NO_ERROR : ErrorCode.FLOW_CONTROL_ERROR;
    }
    if (this.isIdle(streamId)) return ErrorCode.PROTOCOL_ERROR;
    const stream = this.streams.get(streamId);
    if (stream === undefined) return ErrorCode.NO_ERROR;
    if (increment === 0) return this.streamError(streamId, ErrorCode.PROTOCOL_ERROR);
    if (this.windows.widen(stream, increment)) return ErrorCode.NO_ERROR;
    return this.streamError(streamId, ErrorCode.FLOW_CONTROL_ERROR);
  }

  /** RFC 9113 6.5. */
  private takeSettings(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
    if ((flags & Flag.ACK) !== 0) return start === end ? this.idleFrame() : ErrorCode.FRAME_SIZE_ERROR;
    this.sawSettings = true;
    if (this.idleFrame() !== ErrorCode.NO_ERROR) return ErrorCode.ENHANCE_YOUR_CALM;
    const before = this.settings.initialWindow;
    const code = this.settings.read(bytes, start, end);
    if (code !== ErrorCode.NO_ERROR) return code;
    this.writer.settingsAck();
    const fits = this.windows.moveAll(this.settings.initialWindow - before);
    return fits ? ErrorCode.NO_ERROR : ErrorCode.FLOW_CONTROL_ERROR;
  }

  /** RFC 9113 6.7. */
  private takePing(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ErrorCode {
    if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
    if (end - start !== PING_BYTES) return ErrorCode.FRAME_SIZE_ERROR;
    if ((flags & Flag.ACK) === 0) this.writer.pingAck(bytes, start);
    return this.idleFrame();
  }

  /** RFC 9113 6.3. */
  private takePriority(streamId: number, length: number): ErrorCode {
    if (streamId === 0) return ErrorCode.PROTOCOL_ERROR;
    if (length === PRIORITY_BYTES) return this.idleFrame();
    // A stream that nobody has opened has no error of its own.
    return this.isIdle(streamId)
      ? ErrorCode.FRAME_SIZE_ERROR
      : this.streamError(streamId, ErrorCode.FRAME_SIZE_ERROR);
  }

  /** RFC 9113 6.8: a client that leaves. */
  private takeGoaway(streamId: number, length: number): ErrorCode {
    if (streamId !== 0) return ErrorCode.PROTOCOL_ERROR;
    return length < GOAWAY_BYTES ? ErrorCode.FRAME_SIZE_ERROR : this.idleFrame();
  }

  /** A client opens odd streams only (5.1.1). */
  private isIdle(streamId: number): boolean {
    return streamId > this.history.last || (streamId & 1) === 0;
  }

  /** Ends the connection for a fault (RFC 9113 5.4.1). */
  private fail(code: ErrorCode): void {
    if (this.closing) return;
    this.closing = true;
    if (code === ErrorCode.ENHANCE_YOUR_CALM) this.host.countLimit();
    this.streams.clear();
    this.block = null;
    this.windows.dropAll();
    this.writer.goaway(this.lastTaken, code);
    this.end();
  }

  /** Writes what there is to be written, and ends a connection that has nothing to come any more. */
  private flush(): void {
    if (this.reading) return;
    this.host.thread.outbox.flush();
    this.checkUnread();
    if (!this.draining || this.closing || this.streams.size > 0) return;
    this.closing = true;
    this.end();
  }

  private end(): void {
    this.host.thread.outbox.flush();
    endSoon(this.host.channel);
  }
}

const NO_BODY = new Uint8Array(0);
