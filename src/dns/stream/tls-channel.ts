import type { TLSSocket } from 'node:tls';
import { type DirectReader, DirectStream } from '../../sys/index.ts';
import type { Channel, ChannelReader } from './channel.ts';
import { SocketChannel } from './socket-channel.ts';

/** Action once everything is sent. */
const After = { NOTHING: 0, END: 1, FINISH: 2 } as const;

/** Opens a channel over TLS: a DirectStream if this Node offers one, else node:stream. */
export function openTlsChannel(socket: TLSSocket, reader: ChannelReader): Channel {
  return TlsChannel.of(socket, reader) ?? new SocketChannel(socket, reader);
}

/** A channel over a DirectStream. One write is in progress at a time; later bytes wait and go in one write. */
export class TlsChannel implements Channel, DirectReader {
  private readonly socket: TLSSocket;
  private readonly reader: ChannelReader;
  private stream!: DirectStream;
  private waiting: Uint8Array[] = [];
  private after: number = After.NOTHING;
  unsentBytes = 0;

  private constructor(socket: TLSSocket, reader: ChannelReader) {
    this.socket = socket;
    this.reader = reader;
  }

  /** @returns null if this Node offers no DirectStream */
  static of(socket: TLSSocket, reader: ChannelReader): TlsChannel | null {
    const channel = new TlsChannel(socket, reader);
    const stream = DirectStream.of(socket, channel);
    if (stream === null) return null;
    channel.stream = stream;
    socket.on('end', () => reader.ended());
    // Clients may hang up with a reset.
    socket.on('error', () => socket.destroy());
    return channel;
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }

  write(bytes: Uint8Array): void {
    if (this.after !== After.NOTHING || bytes.length === 0 || this.socket.destroyed) return;
    this.unsentBytes += bytes.length;
    if (this.stream.isWriting) this.waiting.push(Uint8Array.from(bytes));
    else this.stream.write(bytes);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  end(): void {
    this.close(After.END);
  }

  finish(): void {
    this.close(After.FINISH);
  }

  destroy(): void {
    this.socket.destroy();
  }

  read(bytes: Uint8Array, length: number): void {
    this.reader.read(bytes, length);
  }

  written(): void {
    if (this.waiting.length > 0) {
      const next = this.waiting.length === 1 ? this.waiting[0]! : Buffer.concat(this.waiting);
      this.waiting = [];
      this.unsentBytes = next.length;
      this.stream.write(next);
      return;
    }
    this.unsentBytes = 0;
    if (this.after === After.NOTHING) this.reader.sent();
    else this.close(this.after);
  }

  private close(after: number): void {
    if (after > this.after) this.after = after;
    if (this.stream.isWriting) return;
    if (this.after === After.FINISH) this.socket.destroySoon();
    else if (!this.socket.writableEnded) this.socket.end();
  }
}
