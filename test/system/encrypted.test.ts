import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSocketAddress, writeProxyHeader } from '../../src/net/index.ts';
import { StreamFramer } from '../../src/wire/index.ts';
import { makeCertificate } from '../support/certificate.ts';
import { askUdp, encodeQuery, readReply, shown } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { type Endpoint, FILMS, RELAY, RunningService, temporaryFolder, until } from '../support/service.ts';

const run = promisify(execFile);
const HOME = '127.0.0.1';
const STRANGER = '127.0.0.9';
const BALANCER = '127.0.0.50';
const NAME = 'dns.example';
const STEERED = `NOERROR ${RELAY.us.address}`;

let service: RunningService;
let upstream: FakeUpstream;
let folder: string;

function writeCertificate(): string {
  const { cert, key } = makeCertificate([`DNS:${NAME}`, 'IP:127.0.0.1']);
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  return cert;
}

beforeAll(async () => {
  folder = temporaryFolder();
  writeCertificate();
  upstream = await FakeUpstream.start();
  service = await RunningService.start({
    config: {
      dns: { tls: ['127.0.0.1:0'], https: ['127.0.0.1:0'], workers: 2, proxyProtocolFrom: [BALANCER] },
      tls: { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') },
      upstreams: [upstream.url],
    },
  });
  await service.household([HOME]);
});
afterAll(async () => {
  await service?.stop();
});

async function tls(to: Endpoint, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ ...to, servername: NAME, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

const frame = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);

async function ask(socket: Socket, name: string, id = 7) {
  const framer = new StreamFramer();
  const reply = Promise.withResolvers<Buffer>();
  const take = (chunk: Buffer) => framer.push(chunk, (m) => reply.resolve(Buffer.from(m)));
  socket.on('data', take);
  socket.once('close', () => reply.reject(new Error('closed')));
  socket.write(frame(encodeQuery({ name, id })));
  const bytes = await reply.promise;
  socket.off('data', take);
  return readReply(bytes);
}

/** Collects the bytes that arrive on a connection until it closes. */
async function heardBy(
  to: Endpoint,
  localAddress: string,
  first: Uint8Array = Buffer.from([22]),
): Promise<number> {
  const socket = connectTcp({ ...to, localAddress });
  let receivedBytes = 0;
  socket.on('data', (chunk) => {
    receivedBytes += chunk.length;
  });
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(first);
  await closed;
  return receivedBytes;
}

describe('DNS over TLS', () => {
  it('is spoken with kdig', async () => {
    const { host, port } = service.tls;
    const args = [`@${host}`, '-p', String(port), '+tls', '+short', FILMS];
    expect((await run('kdig', args)).stdout.trim()).toBe(RELAY.us.address);
  });

  it('negotiates ALPN dot and TLS 1.2 or 1.3, and nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await tls(service.tls, {
        ALPNProtocols: ['dot'],
        minVersion: version,
        maxVersion: version,
      });
      expect([socket.getProtocol(), socket.alpnProtocol]).toEqual([version, 'dot']);
      socket.destroy();
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
    await expect(tls(service.tls, old)).rejects.toThrow();
  });

  it('resumes a session in whichever thread takes the connection', async () => {
    const first = await tls(service.tls, { maxVersion: 'TLSv1.2' });
    const session = first.getSession();
    first.destroy();
    for (let i = 0; i < 12; i++) {
      const socket = await tls(service.tls, { maxVersion: 'TLSv1.2', session });
      expect(socket.isSessionReused()).toBe(true);
      socket.destroy();
    }
  });

  it('is closed before the handshake for an unregistered source', async () => {
    expect(await heardBy(service.tls, STRANGER)).toBe(0);
    expect(await heardBy(service.https, STRANGER)).toBe(0);
  });

  it('resolves through the upstreams, and answers all queries of one write', async () => {
    const socket = await tls(service.tls);
    const framer = new StreamFramer();
    const ids: number[] = [];
    socket.on('data', (chunk) => framer.push(chunk, (m) => ids.push(readReply(Buffer.from(m)).id)));
    socket.write(Buffer.concat([1, 2, 3].map((id) => frame(encodeQuery({ name: `n${id}.example`, id })))));
    await until(() => ids.length === 3, 'all are answered');
    expect(ids.toSorted()).toEqual([1, 2, 3]);
    socket.destroy();
  });

  it('refuses on an open connection once the registration is gone', async () => {
    const from = '127.0.0.77';
    const home = await service.household([from]);
    const socket = await tls(service.tls, { localAddress: from } as ConnectionOptions);
    expect((await ask(socket, FILMS)).rcode).toBe('NOERROR');
    await service.as(home.secret, from).call('DELETE', `/v1/registrations/${home.registrations[from]}`);
    expect((await ask(socket, FILMS)).rcode).toBe('REFUSED');
    socket.destroy();
  });
});

describe('a certificate', () => {
  it('is reloaded by SIGHUP; open connections stay', async () => {
    const open = await tls(service.tls);
    const before = open.getPeerCertificate().fingerprint256;
    writeCertificate();
    service.kill('SIGHUP');
    await service.logged('configuration and catalog read again');
    const later = await tls(service.tls);
    expect(later.getPeerCertificate().fingerprint256).not.toBe(before);
    expect((await ask(open, FILMS)).data).toEqual([RELAY.us.address]);
    open.destroy();
    later.destroy();
  });

  it('with an error is reported in one line, and the old one stays in use', async () => {
    const file = join(folder, 'key.pem');
    const key = readFileSync(file);
    writeFileSync(file, makeCertificate(['DNS:other.example']).key);
    service.kill('SIGHUP');
    const line = await service.logged('not reloaded: the old configuration and catalog stay');
    expect(line['errors']).toEqual([
      `tls.keyFile: found another key in ${file}, expected the private key of the certificate in ${join(folder, 'cert.pem')}`,
    ]);
    writeFileSync(file, key);
    const socket = await tls(service.tls);
    expect((await ask(socket, FILMS)).rcode).toBe('NOERROR');
    socket.destroy();
  });
});

interface Answer {
  status: number;
  headers: Record<string, unknown>;
  body: Buffer;
}

async function viaHttp2(session: ClientHttp2Session, headers: object, body?: Buffer): Promise<Answer> {
  const stream = session.request({ ':path': '/dns-query', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  const [answered] = await once(stream, 'response');
  await once(stream, 'close');
  return { status: answered[':status'], headers: answered, body: Buffer.concat(chunks) };
}

async function viaHttp1(_: unknown, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  const { ':path': path = '/dns-query', ':method': method = 'GET', ...others } = headers;
  const { host, port } = service.https;
  const request = httpsRequest({ host, port, path, method, headers: others, rejectUnauthorized: false });
  request.end(body);
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

const openHttp2 = (): ClientHttp2Session => {
  const session = connectHttp2(`https://127.0.0.1:${service.https.port}`, { rejectUnauthorized: false });
  session.on('error', () => {});
  return session;
};

const inQuery = (message: Buffer): string => `/dns-query?dns=${message.toString('base64url')}`;
const DNS = 'application/dns-message';

describe.each([
  ['HTTP/2', viaHttp2],
  ['HTTP/1.1', viaHttp1],
] as const)('DNS over HTTPS (RFC 8484), %s', (_, send) => {
  let session: ClientHttp2Session;
  const fetch = (headers: Record<string, string>, body?: Buffer) => send(session, headers, body);
  beforeAll(() => {
    session = openHttp2();
  });
  afterAll(() => session.destroy());

  it('4.1, 5.1: answers GET and POST alike, keeps ID 0, and is private for the lowest TTL', async () => {
    const message = encodeQuery({ name: FILMS, id: 0 });
    const get = await fetch({ ':path': inQuery(message), accept: DNS });
    const post = await fetch({ ':method': 'POST', 'content-type': DNS }, message);
    for (const { status, headers, body } of [get, post]) {
      expect([status, headers['content-type']]).toEqual([200, DNS]);
      expect(headers['cache-control']).toBe('private, max-age=60');
      expect([readReply(body).id, readReply(body).data]).toEqual([0, [RELAY.us.address]]);
    }
  });

  it('4.2.1: NXDOMAIN has status 200', async () => {
    const { status, body } = await fetch({ ':path': inQuery(encodeQuery({ name: 'a.invalid' })) });
    expect([status, readReply(body).rcode]).toEqual([200, 'NXDOMAIN']);
  });

  it.each([
    ['another type', 415, { ':method': 'POST', 'content-type': 'text/plain' }, Buffer.alloc(20)],
    ['no type', 415, { ':method': 'POST' }, Buffer.alloc(20)],
    ['no message in a body', 400, { ':method': 'POST', 'content-type': DNS }, Buffer.alloc(5)],
    ['a body that is too large', 413, { ':method': 'POST', 'content-type': DNS }, Buffer.alloc(5000)],
    ['no dns parameter', 400, { ':path': '/dns-query' }, undefined],
    ['dns twice', 400, { ':path': '/dns-query?dns=AAAA&dns=AAAA' }, undefined],
    ['padded base64url', 400, { ':path': '/dns-query?dns=AAABAAABAAAAAAAAAWEAAAEAAQ==' }, undefined],
    ['what is not base64url', 400, { ':path': '/dns-query?dns=%00' }, undefined],
    ['an impossible length', 400, { ':path': '/dns-query?dns=AAAAA' }, undefined],
    ['a reply', 400, { ':path': inQuery(Buffer.from('000081000001000000000000', 'hex')) }, undefined],
    ['what is too long to be decoded', 414, { ':path': `/dns-query?dns=${'A'.repeat(6000)}` }, undefined],
    ['another method', 405, { ':method': 'DELETE' }, undefined],
    ['another path', 404, { ':path': '/' }, undefined],
    ['a path of the API', 404, { ':path': '/v1/ip' }, undefined],
  ])('refuses %s with %i, and says no more', async (_what, status, headers, body) => {
    const answer = await fetch(headers as unknown as Record<string, string>, body);
    expect([answer.status, answer.body.length, answer.headers['server']]).toEqual([status, 0, undefined]);
  });
});

describe('DNS over HTTPS', () => {
  it('is spoken with curl, by both versions', async () => {
    const url = `https://127.0.0.1:${service.https.port}${inQuery(encodeQuery({ name: FILMS, id: 0 }))}`;
    for (const version of ['--http1.1', '--http2']) {
      const args = ['-sk', version, '-o', '/dev/null', '-w', '%{http_code} %{http_version}', url];
      expect((await run('curl', args)).stdout).toBe(version === '--http2' ? '200 2' : '200 1.1');
    }
  });

  it('ends a connection of rapid resets (CVE-2023-44487) by GOAWAY; others are answered, over UDP too', async () => {
    upstream.udp = () => {};
    const socket = await tls(service.https, { ALPNProtocols: ['h2'] });
    const read: Buffer[] = [];
    socket.on('data', (chunk) => read.push(chunk));
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(PREFACE);
    for (let i = 0; i < 5000 && !socket.destroyed; i++) {
      const path = inQuery(encodeQuery({ name: `r${i}.example`, id: 0 }));
      const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
      socket.write(
        Buffer.concat([http2Frame(1, 5, 2 * i + 1, headerBlock(path)), http2Frame(3, 0, 2 * i + 1, cancel)]),
      );
      if (i % 20 === 0) await new Promise(setImmediate);
      if (i % 100 === 0) expect(shown(await askUdp(service.udp, HOME, { name: FILMS }))).toBe(STEERED);
    }
    await closed;
    expect(goawayCode(Buffer.concat(read))).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    const other = openHttp2();
    const answer = await viaHttp2(other, { ':path': inQuery(encodeQuery({ name: FILMS })) });
    expect(answer.status).toBe(200);
    other.destroy();
  });

  it.each([
    ['HEADERS that HPACK cannot read', () => http2Frame(1, 5, 1, Buffer.alloc(8, 0xff))],
    ['CONTINUATION without end', () => [http2Frame(1, 0, 1, Buffer.alloc(1)), ...continuations(64)]],
    ['a frame longer than allowed', () => http2Frame(0, 0, 1, Buffer.alloc(20_000))],
  ])('ends a session of %s', async (_, frames) => {
    const socket = await tls(service.https, { ALPNProtocols: ['h2'] });
    socket.on('error', () => {});
    socket.resume();
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(Buffer.concat([PREFACE, ...[frames()].flat()]));
    await closed;
  });
});

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  http2Frame(4, 0, 0, Buffer.alloc(0)),
]);

/** Encodes a GET in HPACK (RFC 7541): three indexed fields, two literals without Huffman coding. */
function headerBlock(path: string): Buffer {
  const literal = (index: number, text: string) =>
    Buffer.concat([Buffer.from([index, text.length]), Buffer.from(text)]);
  return Buffer.concat([Buffer.from([0x82, 0x87]), literal(4, path), literal(1, 'dns')]);
}

/** Finds the error code of the server's GOAWAY. */
function goawayCode(bytes: Buffer): number | null {
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === 7 && at + 17 <= bytes.length) return bytes.readUInt32BE(at + 13);
  }
  return null;
}

const continuations = (count: number): Buffer[] =>
  Array.from({ length: count }, () => http2Frame(9, 0, 1, Buffer.alloc(1000)));

describe('the PROXY protocol', () => {
  const header = (source: string) =>
    writeProxyHeader(parseSocketAddress(`${source}:4000`)!, parseSocketAddress('127.0.0.1:853')!);

  it.each([
    ['version 1', () => Buffer.from(`PROXY TCP4 ${HOME} 127.0.0.1 4000 53\r\n`)],
    ['version 2', () => header(HOME)],
  ])('of a balancer that is named, %s, names the client', async (_, write) => {
    const socket = connectTcp({ ...service.tcp, localAddress: BALANCER });
    const bytes = Buffer.from(write());
    socket.write(bytes.subarray(0, 9));
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.write(bytes.subarray(9));
    expect((await ask(socket, FILMS)).data).toEqual([RELAY.us.address]);
    socket.destroy();
  });

  it('comes before the TLS handshake', async () => {
    const socket = connectTcp({ ...service.tls, localAddress: BALANCER });
    socket.write(header(HOME));
    const secure = await tls(service.tls, { socket });
    expect((await ask(secure, FILMS)).data).toEqual([RELAY.us.address]);
    secure.destroy();
  });

  it('is required from a balancer, and gives an unregistered client nothing', async () => {
    const query = frame(encodeQuery({ name: FILMS }));
    expect(await heardBy(service.tcp, BALANCER, query)).toBe(0);
    expect(await heardBy(service.tls, BALANCER, Buffer.concat([header(STRANGER), Buffer.from([22])]))).toBe(
      0,
    );
  });

  it('is not believed from anyone else', async () => {
    expect(await heardBy(service.tls, STRANGER, header(HOME))).toBe(0);
    const socket = connectTcp({ ...service.tcp, localAddress: STRANGER });
    socket.end(Buffer.concat([Buffer.from(`PROXY TCP4 ${HOME} 127.0.0.1 4000 53\r\n`)]));
    socket.on('error', () => {});
    await new Promise((resolve) => socket.resume().once('close', resolve));
  });
});

describe('a service that gets SIGTERM', () => {
  it('sends GOAWAY over HTTP/2, answers pending queries over all transports, then exits 0', async () => {
    // Count names, not queries: a question that waits long is asked again, in another case (0x20).
    const held = new Map<string, () => void>();
    upstream.udp = (query, replier) => {
      const name = query.name.toLowerCase();
      if (name.startsWith('late-')) held.set(name, () => answer()(query, replier));
      else answer()(query, replier);
    };
    const session = openHttp2();
    const goaway = once(session, 'goaway');
    const paths = ['late-h2.example', 'late-h1.example'].map((name) => inQuery(encodeQuery({ name })));
    const overHttp2 = viaHttp2(session, { ':path': paths[0]! });
    const overHttp1 = viaHttp1(null, { ':path': paths[1]! });
    const overTls = ask(await tls(service.tls), 'late-tls.example');
    await until(() => held.size === 3, 'all are upstream');
    service.kill('SIGTERM');
    const [code, lastStream] = await goaway;
    expect([code, lastStream]).toEqual([constants.NGHTTP2_NO_ERROR, 1]);
    upstream.udp = answer();
    for (const release of held.values()) release();
    expect([(await overHttp2).status, (await overHttp1).headers['connection']]).toEqual([200, 'close']);
    expect((await overTls).rcode).toBe('NOERROR');
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});
