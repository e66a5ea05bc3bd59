import { DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame.ts';
import type { Http2Stream } from './stream.ts';
import type { FrameWriter } from './writer.ts';

/** What may be sent on a connection and its streams, and what waits until it may (RFC 9113 6.9). */
export class SendWindows {
  private readonly writer: FrameWriter;
  private readonly streams: ReadonlyMap<number, Http2Stream>;
  private readonly onSent: (stream: Http2Stream) => void;
  /** What may be sent on all streams together. */
  private connection = DEFAULT_WINDOW_BYTES;
  /** Bytes of responses that wait. */
  heldBytes = 0;

  /** @param onSent told of each stream whose response was held back and has been sent */
  constructor(
    writer: FrameWriter,
    streams: ReadonlyMap<number, Http2Stream>,
    onSent: (stream: Http2Stream) => void,
  ) {
    this.writer = writer;
    this.streams = streams;
    this.onSent = onSent;
  }

  /** Sends a whole response where the connection's window and `window`, the stream's, allow it. @returns whether they do */
  sendWhole(streamId: number, window: number, response: Uint8Array, length: number): boolean {
    if (length > window || length > this.connection) return false;
    this.connection -= length;
    this.writer.data(streamId, response, 0, length, true);
    return true;
  }

  /** Sends of a response what may be sent, and keeps the rest. */
  hold(stream: Http2Stream, response: Uint8Array): void {
    stream.response = response;
    this.heldBytes += response.length;
    this.send(stream);
  }

  /** Forgets what a stream holds. */
  drop(stream: Http2Stream): void {
    if (stream.response !== null) this.heldBytes -= stream.response.length - stream.responseSent;
    stream.response = null;
  }

  dropAll(): void {
    this.heldBytes = 0;
  }

  /** @returns false where the window would be larger than it may be (6.9.1) */
  widenConnection(by: number): boolean {
    if (this.connection > MAX_WINDOW_BYTES - by) return false;
    this.connection += by;
    this.sendAll();
    return true;
  }

  /** @returns false where the window would be larger than it may be */
  widen(stream: Http2Stream, by: number): boolean {
    if (stream.sendWindow > MAX_WINDOW_BYTES - by) return false;
    stream.sendWindow += by;
    this.send(stream);
    return true;
  }

  /**
   * Another initial window holds for the streams that are open, too, and may make theirs negative (6.9.2).
   * @returns false where one would be larger than it may be
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
