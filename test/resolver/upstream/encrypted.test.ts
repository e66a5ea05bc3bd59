import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import * as dnsPacket from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import type { Resolver } from '../../../src/resolver/index.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { request, resolverFor, shown, until } from '../support.ts';

const certificate = makeCertificate(['DNS:dns.example', 'IP:127.0.0.1']);
const stranger = makeCertificate(['DNS:other.example']);
const trust = { ca: [certificate.cert, stranger.cert] };

/** Replies to a query as the servers of these tests do. */
function replyTo(query: Buffer): Buffer {
  const { id, questions } = dnsPacket.decode(query);
  const name = questions![0]!.name;
  return dnsPacket.encode({
    type: 'response',
    id: id!,
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE,
    questions: questions!,
    answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.1' }],
  });
}

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function resolver(url: string): Resolver {
  const made = resolverFor([url], { trust });
  closers.push(() => made.close());
  return made;
}

async function answerOf(made: Resolver, name: string): Promise<string[]> {
  const asked = request(name);
  return shown(await made.resolve(asked), asked);
}

describe('an upstream over TLS (RFC 7858)', () => {
  interface Seen {
    readonly queries: Buffer[];
    readonly sockets: TLSSocket[];
    readonly resumed: boolean[];
  }

  async function server(options: TlsOptions = {}): Promise<Seen & { port: number }> {
    const seen: Seen = { queries: [], sockets: [], resumed: [] };
    const tls = createServer({ ...certificate, ALPNProtocols: ['dot'], ...options }, (socket) => {
      seen.sockets.push(socket);
      seen.resumed.push(socket.isSessionReused());
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        for (let at = 0; at + 2 <= chunk.length; at += 2 + chunk.readUInt16BE(at)) {
          const query = chunk.subarray(at + 2, at + 2 + chunk.readUInt16BE(at));
          seen.queries.push(query);
          const reply = replyTo(query);
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        }
      });
    });
    tls.on('tlsClientError', () => {});
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    closers.push(async () => {
      for (const socket of seen.sockets) socket.destroy();
      await new Promise((resolve) => tls.close(resolve));
    });
    return { ...seen, port: (tls.address() as AddressInfo).port };
  }

  it('is asked over ALPN dot, with a certificate for the configured name', async () => {
    const { port, sockets } = await server();
    expect(await answerOf(resolver(`tls://127.0.0.1:${port}#dns.example`), 'a.example')).toEqual([
      '192.0.2.1',
    ]);
    expect(sockets[0]!.alpnProtocol).toBe('dot');
    expect(['TLSv1.2', 'TLSv1.3']).toContain(sockets[0]!.getProtocol());
  });

  it('may have a certificate for its address if no name is configured', async () => {
    const { port } = await server();
    expect(await answerOf(resolver(`tls://127.0.0.1:${port}`), 'a.example')).toEqual(['192.0.2.1']);
  });

  it('is not asked if its certificate is for another name', async () => {
    const { port, queries } = await server({ ...stranger });
    expect(await answerOf(resolver(`tls://127.0.0.1:${port}#dns.example`), 'a.example')).toEqual(['rcode 2']);
    expect(queries).toEqual([]);
  });

  it('is not asked over TLS 1.1', async () => {
    const { port, queries } = await server({
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    });
    expect(await answerOf(resolver(`tls://127.0.0.1:${port}`), 'a.example')).toEqual(['rcode 2']);
    expect(queries).toEqual([]);
  });

  it('gets queries padded to 128 bytes (RFC 8467 4.1), many on one connection', async () => {
    const { port, queries, sockets } = await server();
    const made = resolver(`tls://127.0.0.1:${port}`);
    const names = ['a.example', 'much.longer.name.with.many.labels.example', 'b.example'];
    await Promise.all(names.map((name) => answerOf(made, name)));
    expect(queries.map(({ length }) => length)).toEqual([128, 128, 128]);
    expect(sockets).toHaveLength(1);
  });

  it('resumes its last session (RFC 7858 3.4)', async () => {
    const { port, sockets, resumed } = await server();
    const made = resolver(`tls://127.0.0.1:${port}`);
    await answerOf(made, 'a.example');
    sockets[0]!.destroy();
    await until(() => sockets[0]!.destroyed);
    await answerOf(made, 'b.example');
    expect(resumed).toEqual([false, true]);
  });
});

describe('an upstream over HTTPS (RFC 8484)', () => {
  type Handler = (stream: ServerHttp2Stream, body: Buffer) => void;
  const respond: Handler = (stream, body) => {
    stream.respond({ ':status': 200, 'content-type': 'application/dns-message' });
    stream.end(replyTo(body));
  };

  async function server(handler: Handler = respond) {
    const requests: { path: string; method: string; type: string; body: Buffer }[] = [];
    const sessions: unknown[] = [];
    const http2: Http2SecureServer = createSecureServer({ ...certificate });
    http2.on('session', (session) => {
      sessions.push(session);
      closers.push(async () => session.destroy());
    });
    http2.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const body = Buffer.concat(chunks);
        const { ':path': path, ':method': method, 'content-type': type } = headers;
        requests.push({ path: path!, method: method!, type: type!, body });
        handler(stream, body);
      });
    });
    http2.listen(0, '127.0.0.1');
    await once(http2, 'listening');
    closers.push(() => new Promise((resolve) => http2.close(resolve)));
    return { port: (http2.address() as AddressInfo).port, requests, sessions };
  }

  it('is asked by POST over HTTP/2 with ID 0 (4.1), padded, on one connection', async () => {
    const { port, requests, sessions } = await server();
    const made = resolver(`https://127.0.0.1:${port}/dns-query#dns.example`);
    const answers = await Promise.all(
      ['a.example', 'b.example', 'c.example'].map((name) => answerOf(made, name)),
    );
    expect(answers).toEqual([['192.0.2.1'], ['192.0.2.1'], ['192.0.2.1']]);
    expect(requests.map(({ path, method, type }) => `${method} ${path} ${type}`)).toEqual(
      Array(3).fill('POST /dns-query application/dns-message'),
    );
    expect(requests.map(({ body }) => [body.readUInt16BE(0), body.length])).toEqual(Array(3).fill([0, 128]));
    expect(sessions).toHaveLength(1);
  });

  it('is asked at the configured path', async () => {
    const { port, requests } = await server();
    await answerOf(resolver(`https://127.0.0.1:${port}/other`), 'a.example');
    expect(requests[0]!.path).toBe('/other');
  });

  it.each<[string, Handler]>([
    ['a status other than 2xx', (stream) => stream.respond({ ':status': 503 }, { endStream: true })],
    [
      'another media type',
      (stream, body) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' });
        stream.end(replyTo(body));
      },
    ],
    [
      'more than a message can be',
      (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/dns-message' });
        stream.end(Buffer.alloc(70_000));
      },
    ],
    [
      'another ID',
      (stream, body) => {
        const reply = replyTo(body);
        reply.writeUInt16BE(7);
        stream.respond({ ':status': 200, 'content-type': 'application/dns-message' });
        stream.end(reply);
      },
    ],
    ['a reset', (stream) => stream.close(2)],
  ])('that gives %s has no answer', async (_, handler) => {
    const { port } = await server(handler);
    expect(await answerOf(resolver(`https://127.0.0.1:${port}`), 'a.example')).toEqual(['rcode 2']);
  });
});
