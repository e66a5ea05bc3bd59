import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect as connectTls, type SecureVersion, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startHttpsListener } from '../../../src/dns/https/index.ts';
import { Answerer } from '../../../src/dns/index.ts';
import type { TlsServer } from '../../../src/dns/stream/tls-server.ts';
import { startTlsListener } from '../../../src/dns/tls/listener.ts';
import { parseSocketAddress } from '../../../src/net/index.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { answering, query, TestEdge } from '../support.ts';
import { framed } from '../tcp/client.ts';

const CLIENT = '127.0.0.1';
/** Hours away, so that only an alert can close a connection within a test. */
const IDLE_SECONDS = 36_000;
const RECORD_HEADER = Buffer.from([0x17, 3, 3, 0, 32]);
const UNDECRYPTABLE = Buffer.concat([RECORD_HEADER, Buffer.alloc(32, 0xab)]);
const QUERY = query('netflix.com', 'A', { id: 7 });
const ALPN = { tls: 'dot', h2: 'h2', h1: 'http/1.1' } as const;
type Protocol = keyof typeof ALPN;

const servers: TlsServer[] = [];
const sockets: Socket[] = [];
const ports: Record<Protocol, number> = { tls: 0, h2: 0, h1: 0 };

beforeAll(async () => {
  const edge = new TestEdge();
  edge.register(CLIENT);
  const answerer = new Answerer(
    edge.state,
    answering(() => {
      throw new Error('no query here needs a resolver');
    }),
    () => edge.nowMs,
    () => {},
  );
  const options = {
    addresses: [parseSocketAddress(`${CLIENT}:0`)!],
    answerer,
    limits: {
      connections: 100,
      connectionsPerSource: 100,
      idleSeconds: IDLE_SECONDS,
      strangerConnections: 10,
      queriesPerConnection: 1000,
    },
    identity: { ...makeCertificate(['DNS:dns.example']), ticketKeys: new Uint8Array(48) },
    now: () => edge.nowMs,
  };
  servers.push(await startTlsListener(options), await startHttpsListener(options));
  const [dot, doh] = servers.map(({ server }) => server.addresses[0]!.port);
  Object.assign(ports, { tls: dot, h2: doh, h1: doh });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(async () => {
  for (const { server } of servers) await server.close();
});

/** Opens a TLS connection. @returns its TLS socket, and the TCP socket that carries it to the server */
async function open(protocol: Protocol, version: SecureVersion): Promise<[TLSSocket, Socket]> {
  const tcp = connect({ port: ports[protocol], host: CLIENT });
  const [near, far] = duplexPair();
  far.pipe(tcp).pipe(far);
  const secure = connectTls({
    socket: near,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ALPNProtocols: [ALPN[protocol]],
  });
  sockets.push(tcp, secure);
  secure.on('error', () => {});
  tcp.on('error', () => {});
  await once(secure, 'secureConnect');
  return [secure, tcp];
}

const openServerConnections = (): number =>
  servers.reduce((sum, { server }) => sum + server.openConnections, 0);

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a fatal alert over %s', (version) => {
  it.each([
    ['tls', 'a record that cannot be decrypted', UNDECRYPTABLE],
    ['h2', 'a record that cannot be decrypted', UNDECRYPTABLE],
    ['h1', 'a record that cannot be decrypted', UNDECRYPTABLE],
    ['tls', 'plain text', framed(QUERY)],
    ['h2', 'plain text', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['h1', 'plain text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['tls', 'an empty alert', Buffer.from([0x15, 3, 3, 0, 0])],
    ['h2', 'a record of an unknown type', Buffer.from([0x63, 3, 3, 0, 1, 0])],
  ] as const)('closes TCP at once: %s, %s', async (protocol, _, bytes) => {
    const [honest] = await open('tls', version);
    const [, tcp] = await open(protocol, version);
    // The client must not see the alert: it would close by itself.
    tcp.unpipe().resume();
    const ended = once(tcp, 'end');
    tcp.write(bytes);
    await ended;
    while (openServerConnections() > 1) await new Promise(setImmediate);
    honest.write(framed(QUERY));
    const [reply] = (await once(honest, 'data')) as [Buffer];
    expect(reply.readUInt16BE(2)).toBe(7);
  });
});
