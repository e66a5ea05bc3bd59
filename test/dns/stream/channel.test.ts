import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Channel, ChannelReader } from '../../../src/dns/stream/channel.ts';
import { SocketChannel } from '../../../src/dns/stream/socket-channel.ts';
import { TlsChannel } from '../../../src/dns/stream/tls-channel.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { until } from '../../support/until.ts';

const MEBI = 1024 * 1024;
const context = createSecureContext(makeCertificate(['DNS:dns.example']));

/** Records the events of a channel. */
class Reader implements ChannelReader {
  received = Buffer.alloc(0);
  largestRead = 0;
  timesSent = 0;
  isEnded = false;

  read(bytes: Uint8Array, length: number): void {
    this.largestRead = Math.max(this.largestRead, length);
    this.received = Buffer.concat([this.received, bytes.subarray(0, length)]);
    // The memory belongs to the channel again.
    bytes.fill(0xdd, 0, length);
  }

  sent(): void {
    this.timesSent++;
  }

  ended(): void {
    this.isEnded = true;
  }
}

const overTls = (socket: Socket): TLSSocket =>
  new TLSSocket(socket, { isServer: true, secureContext: context });

const KINDS: readonly (readonly [string, (socket: Socket, reader: Reader) => [Channel, Socket]])[] = [
  [
    'TLS without node:stream',
    (socket, reader) => {
      const secure = overTls(socket);
      return [TlsChannel.of(secure, reader)!, secure];
    },
  ],
  [
    'TLS by node:stream',
    (socket, reader) => {
      const secure = overTls(socket);
      return [new SocketChannel(secure, reader), secure];
    },
  ],
  [
    'TCP',
    (socket, reader) => {
      const channel = new SocketChannel(socket, reader);
      socket.resume();
      return [channel, socket];
    },
  ],
];

describe.each(KINDS)('a channel over %s', (name, make) => {
  let server: Server;
  let reader: Reader;
  let channel: Channel;
  let socket: Socket;
  let client: Socket;
  /** The TCP connection beneath the client's TLS. */
  let peer: Socket;

  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (accepted) => {
      reader = new Reader();
      [channel, socket] = make(accepted, reader);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    client.destroy();
    server.close();
  });
  beforeEach(async () => {
    client?.destroy();
    peer?.destroy();
    const { port } = server.address() as { port: number };
    const accepted = once(server, 'connection');
    peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client = name === 'TCP' ? peer : connectTls({ socket: peer, rejectUnauthorized: false });
    client.on('error', () => {});
    await Promise.all([accepted, once(client, name === 'TCP' ? 'connect' : 'secureConnect')]);
  });

  it('delivers bytes both ways; written memory may be reused at once', async () => {
    const received: Buffer[] = [];
    client.on('data', (chunk: Buffer) => received.push(chunk));
    client.write('hello');
    await until(() => reader.received.length === 5, 'it is read');
    const bytes = Buffer.from('one ');
    channel.write(bytes);
    bytes.write('two ');
    channel.write(bytes);
    bytes.write('six ');
    channel.write(bytes);
    bytes.fill(0);
    await until(() => Buffer.concat(received).length === 12, 'all is there');
    expect([reader.received.toString(), Buffer.concat(received).toString()]).toEqual([
      'hello',
      'one two six ',
    ]);
    expect([channel.unsentBytes, channel.isClosed]).toEqual([0, false]);
  });

  it('carries a mebibyte both ways, in order', async () => {
    const much = Buffer.from(Array.from({ length: MEBI }, (_, i) => (i * 7 + (i >>> 8)) & 255));
    let received = 0;
    const whole = Buffer.alloc(much.length);
    client.on('data', (chunk: Buffer) => {
      chunk.copy(whole, received);
      received += chunk.length;
    });
    client.write(much);
    for (let at = 0; at < much.length; at += 50_000) channel.write(much.subarray(at, at + 50_000));
    await until(() => received === much.length && reader.received.length === much.length, 'all is there');
    expect([whole.equals(much), reader.received.equals(much)]).toEqual([true, true]);
  });

  it('reports unsent bytes, and when everything is sent', async () => {
    client.pause();
    const piece = Buffer.alloc(256 * 1024);
    // More than the kernel's buffers hold.
    for (let i = 0; i < 64; i++) channel.write(piece);
    expect(channel.unsentBytes).toBeGreaterThan(MEBI);
    expect(reader.timesSent).toBe(0);
    client.resume();
    await until(() => channel.unsentBytes === 0 && reader.timesSent > 0, 'all has gone');
  });

  it('reads nothing while it is paused', async () => {
    channel.pause();
    client.write(Buffer.alloc(4 * MEBI));
    await until(() => client.writableLength > 0, 'the peer waits');
    const before = reader.received.length;
    expect(before).toBeLessThan(MEBI);
    channel.resume();
    await until(() => reader.received.length === 4 * MEBI, 'all is read');
  });

  it("reports the peer's end, and can still write", async () => {
    client.end();
    await until(() => reader.isEnded, 'it has ended');
    const received = once(client, 'data');
    channel.write(Buffer.from('late'));
    expect(String((await received)[0])).toBe('late');
    channel.end();
    await until(() => channel.isClosed, 'both have ended');
  });

  it.each(['end', 'finish'] as const)('%s comes after everything that was written', async (end) => {
    let received = 0;
    client.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    const ended = once(client, 'end');
    for (let i = 0; i < 20; i++) channel.write(Buffer.alloc(100_000));
    channel[end]();
    channel.write(Buffer.from('too late'));
    await ended;
    expect(received).toBe(2_000_000);
    client.end();
    await until(() => channel.isClosed, 'it is closed');
  });

  it('survives a reset while writes are pending', async () => {
    client.pause();
    for (let i = 0; i < 64; i++) channel.write(Buffer.alloc(256 * 1024));
    peer.resetAndDestroy();
    await until(() => channel.isClosed, 'it is closed');
    channel.write(Buffer.from('x'));
    channel.pause();
    channel.resume();
    channel.end();
  });

  it('reads nothing more once destroyed within a read', async () => {
    let reads = 0;
    reader.read = () => {
      reads++;
      channel.destroy();
    };
    client.write(Buffer.alloc(60_000));
    client.resume();
    await until(() => socket.destroyed, 'it is closed');
    await new Promise(setImmediate);
    expect([reads, channel.isClosed]).toEqual([1, true]);
  });
});
