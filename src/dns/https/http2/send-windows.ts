import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame.ts';
import type { Http2Stream } from './stream.ts';
import type { FrameWriter } from './writer.ts';

/** Flow control towards the client (RFC 9113 6.9): the windows, and the responses that wait for them. */
export class SendWindows {
  private readonly writer: FrameWriter;
  private readonly streams: ReadonlyMap<number, Http2Stream>;
  private readonly onSent: (stream: Http2Stream) => void;
  /** Bytes that may be sent on all streams together. */
  private connection = DEFAULT_WINDOW_BYTES;
  /** Bytes of waiting responses. */
  heldBytes = 0;

  /** @param onSent called for each stream whose held response has been sent whole */
  constructor(
    writer: FrameWriter,
    streams: ReadonlyMap<number, Http2Stream>,
    onSent: (stream: Http2Stream) => void,
  ) {
    this.writer = writer;
    this.streams = streams;
    this.onSent = onSent;
  }

  /** Sends a whole response if the connection's window and the stream's `window` allow it. @returns false if not */
  sendWhole(streamId: number, window: number, response: Uint8Array, length: number): boolean {
    if (length > window || length > this.connection) return false;
    this.connection -= length;
    this.writer.data(streamId, response, 0, length, true);
    return true;
  }

  /** Sends what the windows allow and holds the rest. Keeps `response`. */
  hold(stream: Http2Stream, response: Uint8Array): void {
    stream.response = response;
    this.heldBytes += response.length;
    this.send(stream);
  }

  /** Drops a stream's held response. */
  drop(stream: Http2Stream): void {
    if (stream.response !== null) this.heldBytes -= stream.response.length - stream.responseSent;
    stream.response = null;
  }

  dropAll(): void {
    this.heldBytes = 0;
  }

  /** @returns false if the window would exceed its maximum (6.9.1) */
  widenConnection(by: number): boolean {
    if (this.connection > MAX_WINDOW_BYTES - by) return false;
    this.connection += by;
    this.sendAll();
    return true;
  }

  /** @returns false if the window would exceed its maximum */
  widen(stream: Http2Stream, by: number): boolean {
    if (stream.sendWindow > MAX_WINDOW_BYTES - by) return false;
    stream.sendWindow += by;
    this.send(stream);
    return true;
  }

  /**
   * Applies a changed initial window to all open streams; their windows may become negative (6.9.2).
   * @returns false if one would exceed its maximum
   */
  moveAll(by: number): boolean {
    if (by === 0) return true;
    for (const stream of this.streams.values()) {
      if (stream.sendWindow + by > MAX_WINDOW_BYTES) return false;
      stream.sendWindow += by;
    }
    if (by > 0) this.sendAll();
    return true;
  }

  private sendAll(): void {
    if (this.heldBytes === 0) return;
    for (const stream of this.streams.values()) this.send(stream);
  }

  private send(stream: Http2Stream): void {
    const { response } = stream;
    if (response === null) return;
    const rest = response.length - stream.responseSent;
    const length = Math.min(rest, this.connection, stream.sendWindow);
    if (length <= 0) return;
    const from = stream.responseSent;
    this.writer.data(stream.id, response, from, from + length, length === rest);
    stream.responseSent += length;
    stream.sendWindow -= length;
    this.connection -= length;
    this.heldBytes -= length;
    if (length < rest) return;
    stream.response = null;
    this.onSent(stream);
  }
}
