import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Later bytes are not kept. */
const KEPT_BYTES = 16;

/** A connection that keeps its first bytes, to look at them beside TLS. */
export class FirstBytes extends Duplex {
  received: Buffer = Buffer.alloc(0);
  private readonly socket: Socket;

  constructor(socket: Socket) {
    super();
    this.socket = socket;
    socket.on('data', (chunk) => {
      const room = KEPT_BYTES - this.received.length;
      if (room > 0) this.received = Buffer.concat([this.received, chunk.subarray(0, room)]);
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
