import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { StreamFramer } from '../../../src/wire/index.ts';
import { type Seen, seen } from '../support.ts';

/** Puts the length field before each message. */
export const framed = (...messages: Uint8Array[]): Buffer =>
  Buffer.concat(messages.flatMap((m) => [Buffer.from([m.length >>> 8, m.length & 0xff]), m]));

/** A DNS client over TCP that records replies. */
export class StreamClient {
  readonly socket: Socket;
  readonly replies: Seen[] = [];
  readonly closed: Promise<void>;
  /** True once the server has ended its side cleanly. */
  ended = false;
  private readonly framer = new StreamFramer();
  private wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) =>
      this.framer.push(chunk, (m) => {
        this.replies.push(seen(0, Buffer.from(m)));
        this.wake();
      }),
    );
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
  }

  /** @param from the address to connect from */
  static async open(port: number, host = '127.0.0.1', from?: string): Promise<StreamClient> {
    const socket = connect({
      port,
      host,
      ...(from !== undefined && { localAddress: from }),
    });
    const client = new StreamClient(socket);
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return client;
  }

  send(...messages: Uint8Array[]): void {
    this.socket.write(framed(...messages));
  }

  /** Resolves once `count` replies have arrived. */
  async got(count: number): Promise<Seen[]> {
    while (this.replies.length < count) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.replies;
  }

  get ids(): number[] {
    return this.replies.map(({ bytes }) => bytes.readUInt16BE(0));
  }
}
