/** WebSocket over port 80: a real client and server, and what must not pass for it. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { RelayBed } from './support.ts';

const HOME = '127.0.0.9';
const HOST = 'a.films.example';
const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const UPGRADE = [
  `Host: ${HOST}`,
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

let bed: RelayBed;
let server: Server;
const heads: string[] = [];

/** Switches at /socket, where it echoes; else it answers as HTTP. */
beforeAll(async () => {
  server = createServer((request, response) => {
    heads.push(`${request.url} ${request.headers.host} ${request.headers.upgrade ?? '-'}`);
    response.end(`http ${request.url};`);
  });
  server.on('upgrade', (request, socket) => {
    heads.push(`${request.url} ${request.headers.host} ${request.headers.upgrade}`);
    if (request.url !== '/socket') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nno way');
      return;
    }
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write('HTTP/1.1 103 Early Hints\r\n\r\n');
    const fields = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`];
    socket.write(head('HTTP/1.1 101 Switching Protocols', ...fields));
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  });
  server.listen(0, '127.0.0.1');
  await until(() => server.listening, 'the origin listens');
  bed = await RelayBed.start({ originPort: (server.address() as AddressInfo).port });
  bed.names.set(HOST, ['127.0.0.1']);
  bed.names.set('b.films.example', ['127.0.0.1']);
});
afterAll(async () => {
  await bed.stop();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  bed.register(HOME);
  heads.length = 0;
});

describe('a WebSocket', () => {
  it('is carried: frames pass both ways, whatever they look like', async () => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(head('GET /socket HTTP/1.1', ...UPGRADE));
    await client.until(({ text }) => text.includes('s3pPLMBiTxaQ9kYGzzhZRbK+xOo='));
    expect(client.text).toMatch(/^HTTP\/1\.1 103 [\s\S]*HTTP\/1\.1 101 /);
    const frames = [
      Buffer.from([0x81, 0x83, 1, 2, 3, 4, 0x69, 0x6b, 0x22]),
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    ];
    for (const frame of frames) {
      const before = client.received.length;
      client.socket.write(frame);
      await client.until(({ received }) => received.length === before + frame.length);
      expect(client.received.subarray(before)).toEqual(frame);
    }
    expect(heads).toEqual([`/socket ${HOST} websocket`]);
    client.socket.end();
    expect(await client.closed).toBe('end');
  });

  it('takes frames that arrive with the request', async () => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(`${head('GET /socket HTTP/1.1', ...UPGRADE)}early`);
    await client.until(({ text }) => text.endsWith('early'));
    client.socket.destroy();
  });

  it('that the origin declines leaves an HTTP connection, whose requests are authorized', async () => {
    const client = await bed.dial({ protocol: 'http' });
    const before = bed.count('UNLISTED');
    client.socket.write(head('GET /no HTTP/1.1', ...UPGRADE) + head('GET /x HTTP/1.1', 'Host: evil.example'));
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await until(() => bed.count('UNLISTED') === before + 1, 'the second request is refused');
    expect(heads).toEqual([`/no ${HOST} websocket`]);
  });

  it.each([
    ['another protocol', [`Host: ${HOST}`, 'Connection: Upgrade', 'Upgrade: h2c']],
    ['WebSocket or another protocol', [`Host: ${HOST}`, 'Connection: Upgrade', 'Upgrade: websocket, h2c']],
    ['WebSocket without Connection', [`Host: ${HOST}`, 'Upgrade: websocket']],
  ])('only: a request for %s goes without Upgrade', async (_, fields) => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(head('GET /socket HTTP/1.1', ...fields));
    await client.until(({ text }) => text.includes('http /socket;'));
    expect(heads).toEqual([`/socket ${HOST} -`]);
    client.socket.destroy();
  });

  it('is not carried behind another request of the connection', async () => {
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(
      head('GET /first HTTP/1.1', `Host: ${HOST}`) + head('GET /socket HTTP/1.1', ...UPGRADE),
    );
    await client.until(({ text }) => text.includes('http /socket;'));
    expect(heads).toEqual([`/first ${HOST} -`, `/socket ${HOST} -`]);
    client.socket.destroy();
  });

  it('ends with the registration', async () => {
    const before = bed.count('REVOKED');
    const client = await bed.dial({ protocol: 'http' });
    client.socket.write(head('GET /socket HTTP/1.1', ...UPGRADE));
    await client.until(({ text }) => text.includes('101 Switching'));
    bed.unregister(HOME);
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await until(() => bed.count('REVOKED') === before + 1, 'revoked');
  });
});
