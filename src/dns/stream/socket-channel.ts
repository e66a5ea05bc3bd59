import type { Socket } from 'node:net';
import type { Channel, ChannelReader } from './channel.ts';

/** A channel over a node:net socket. */
export class SocketChannel implements Channel {
  private readonly socket: Socket;

  constructor(socket: Socket, reader: ChannelReader) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => reader.read(chunk, chunk.length));
    socket.on('end', () => reader.ended());
    socket.on('drain', () => reader.sent());
    // Clients may hang up with a reset.
    socket.on('error', () => socket.destroy());
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  get isClosed(): boolean {
    return this.socket.destroyed;
  }

  write(bytes: Uint8Array): void {
    const { socket } = this;
    if (!socket.destroyed && !socket.writableEnded) socket.write(Buffer.from(bytes));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  end(): void {
    if (!this.socket.writableEnded) this.socket.end();
  }

  finish(): void {
    this.socket.destroySoon();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
