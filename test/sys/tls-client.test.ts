import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { Memory, peerName, TlsClient, TlsContext, TlsState } from '../../src/sys/index.ts';
import { makeCertificate } from '../support/certificate.ts';
import { until } from '../support/until.ts';

const certificate = makeCertificate(['DNS:dns.example', 'DNS:*.wild.example', 'IP:127.0.0.1']);
const stranger = makeCertificate(['DNS:dns.example']);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

/** A server that sends back what it gets. */
async function echo(options: TlsOptions = {}): Promise<Server> {
  const server = createServer({ ...certificate, ALPNProtocols: ['dot'], ...options }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => server.close());
  return server;
}

/** Connects, and waits until the connection is open or refused. */
async function connect(
  port: number,
  serverName: string | null,
  authorities: readonly string[] | undefined = [certificate.cert],
): Promise<TlsClient> {
  const context = TlsContext.create('dot', authorities)!;
  const name = peerName({ family: 4, address: Uint8Array.of(127, 0, 0, 1), port, scopeId: 0 });
  const client = new TlsClient(context, { family: 4, name, serverName, address: '127.0.0.1' });
  closers.push(() => {
    client.close();
    context.close();
  });
  await until(() => client.advance() >= TlsState.OPEN, 'the handshake ends');
  return client;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe('a TLS client without an event loop', () => {
  it.each([
    ['the name', 'dns.example'],
    ['a name below a wildcard', 'one.wild.example'],
    ['the address, where no name is given', null],
  ])('is open with a certificate for %s, over ALPN and SNI', async (_, serverName) => {
    const server = await echo();
    const accepted = once(server, 'secureConnection');
    const client = await connect(portOf(server), serverName);
    expect(client.state).toBe(TlsState.OPEN);
    const [socket] = await accepted;
    expect([socket.alpnProtocol, socket.servername || null]).toEqual(['dot', serverName]);
  });

  it.each([
    ['for another name', 'other.example', {}, undefined],
    ['for more labels than its wildcard has', 'a.b.wild.example', {}, undefined],
    ['for another address, where no name is given', null, stranger, [stranger.cert]],
    ['of an authority that is not trusted', 'dns.example', stranger, undefined],
  ])('is refused with a certificate %s', async (_, serverName, options, authorities) => {
    const server = await echo(options);
    const client = await connect(portOf(server), serverName, authorities);
    expect(client.state).toBe(TlsState.ENDED);
  });

  it('is refused with an authority of its own where those of the runtime are meant', async () => {
    const server = await echo();
    const context = TlsContext.create('dot')!;
    const name = peerName({
      family: 4,
      address: Uint8Array.of(127, 0, 0, 1),
      port: portOf(server),
      scopeId: 0,
    });
    const client = new TlsClient(context, { family: 4, name, serverName: 'dns.example', address: '' });
    await until(() => client.advance() >= TlsState.OPEN, 'the handshake ends');
    expect(client.state).toBe(TlsState.ENDED);
    context.close();
  });

  it('is refused by a server that has TLS 1.1 only, and by a port where nobody is', async () => {
    const old = await echo({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
    const port = portOf(old);
    expect((await connect(port, 'dns.example')).state).toBe(TlsState.ENDED);
    old.close();
    await once(old, 'close');
    expect((await connect(port, 'dns.example')).state).toBe(TlsState.ENDED);
  });

  it('carries bytes both ways, in pieces where there is no room, and sees the end', async () => {
    const server = await echo();
    const accepted = once(server, 'secureConnection');
    const client = await connect(portOf(server), 'dns.example');
    const [socket] = await accepted;
    const sent = new Memory(1 << 20);
    for (let i = 0; i < sent.bytes.length; i++) sent.bytes[i] = i % 251;
    const received = Buffer.alloc(sent.bytes.length);
    const buffer = new Memory(20_000);
    let [out, here] = [0, 0];
    await until(() => {
      out += out < sent.bytes.length ? client.write(sent, out, sent.bytes.length) : 0;
      for (let count = client.read(buffer); count > 0; count = client.read(buffer)) {
        received.set(buffer.bytes.subarray(0, count), here);
        here += count;
      }
      return here === received.length;
    }, 'all came back');
    expect(received.equals(Buffer.from(sent.bytes))).toBe(true);
    socket.end();
    await until(() => {
      client.read(buffer);
      return client.state === TlsState.ENDED;
    }, 'the end is seen');
    expect([client.read(buffer), client.write(sent, 0, 1)]).toEqual([0, 0]);
  });
});
