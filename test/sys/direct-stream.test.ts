import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { DirectStream } from '../../src/sys/index.ts';
import { makeCertificate } from '../support/certificate.ts';

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const close of cleanup.splice(0)) close();
});

/** Opens a TLS connection over loopback. @returns both ends; the server's has not begun its handshake */
async function openTls(): Promise<{ server: TLSSocket; client: TLSSocket }> {
  const secureContext = createSecureContext(makeCertificate(['DNS:dns.example']));
  const listener = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connectTls({
    socket: connect((listener.address() as { port: number }).port, '127.0.0.1'),
    rejectUnauthorized: false,
  });
  client.on('error', () => {});
  const [accepted] = await once(listener, 'connection');
  const server = new TLSSocket(accepted, { isServer: true, secureContext });
  cleanup.push(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return { server, client };
}

describe(`the direct stream on Node ${process.version}`, () => {
  it('finds the internals of Node that it relies on', async () => {
    const { server } = await openTls();
    expect(
      DirectStream.missing(server),
      `Node ${process.version} lacks internals that DNS over TLS and HTTPS use to bypass node:stream. They still work, ` +
        'but slower. Read src/decisions/direct-tls-streams.md before you raise the version of Node.',
    ).toEqual([]);
  });

  it('reads into the shared buffer and writes to the record layer', async () => {
    const { server, client } = await openTls();
    const stream = DirectStream.of(server, {
      read: (bytes, length) => stream.write(Buffer.from(bytes.subarray(0, length)).reverse()),
      written: () => {},
    })!;
    client.write('abc');
    const [echo] = await once(client, 'data');
    expect(String(echo)).toBe('cba');
  });

  it('is not offered for a socket without a handle', async () => {
    const { server } = await openTls();
    server.destroy();
    await once(server, 'close');
    expect(DirectStream.of(server, { read: () => {}, written: () => {} })).toBeNull();
  });
});
