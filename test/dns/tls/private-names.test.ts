import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Answerer } from '../../../src/dns/index.ts';
import { type Claim, ClaimOutcome } from '../../../src/dns/private-names/index.ts';
import type { TlsServer } from '../../../src/dns/stream/tls-server.ts';
import { startTlsListener } from '../../../src/dns/tls/listener.ts';
import { parseSocketAddress } from '../../../src/net/index.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { until } from '../../support/until.ts';
import { answering, query, TestEdge } from '../support.ts';
import { framed } from '../tcp/client.ts';

const STRANGER = '127.0.0.9';
const DOMAIN = 'dns.example';
const NAME = `abcdefghijklmnopqrstuv2345.${DOMAIN}`;
const QUERY = query('netflix.com', 'A', { id: 7 });
const certificate = makeCertificate([`DNS:*.${DOMAIN}`]);

let edge: TestEdge;
let server: TlsServer;
let claims: Claim[];
let decide: (outcome: ClaimOutcome) => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  edge = new TestEdge();
  claims = [];
  const unexpected = () => {
    throw new Error('no query here needs a resolver');
  };
  const answerer = new Answerer(
    edge.state,
    answering(unexpected),
    () => edge.nowMs,
    () => {},
  );
  server = await startTlsListener({
    addresses: [parseSocketAddress('127.0.0.1:0')!],
    answerer,
    limits: {
      connections: 100,
      connectionsPerSource: 1,
      idleSeconds: 10,
      strangerConnections: 64,
      queriesPerConnection: 1000,
    },
    identity: { ...certificate, ticketKeys: new Uint8Array(48) },
    now: () => edge.nowMs,
    privateNames: {
      domain: DOMAIN,
      claim: (claim) => {
        claims.push(claim);
        return new Promise((resolve) => {
          decide = resolve;
        });
      },
    },
  });
});
afterEach(async () => {
  // The TLS sockets first: Node 24 crashes when the socket beneath one is destroyed before it in one tick.
  for (const socket of sockets.splice(0).reverse()) socket.destroy();
  await server.server.close();
});

async function raw(from = STRANGER): Promise<Socket> {
  const { port } = server.server.addresses[0]!;
  const socket = connect({ host: '127.0.0.1', port, localAddress: from });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

async function tls(servername = NAME): Promise<TLSSocket> {
  const socket = connectTls({ socket: await raw(), servername, rejectUnauthorized: false });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** Collects the bytes that a socket receives. */
function received(socket: Socket): { bytes: number } {
  const heard = { bytes: 0 };
  socket.on('data', (chunk: Buffer) => {
    heard.bytes += chunk.length;
  });
  return heard;
}

const closed = (socket: Socket) => until(() => socket.destroyed, 'the connection is closed');
const open = (count: number) =>
  until(() => server.server.openConnections === count, `${count} connections are open`);

it.each([
  ['says nothing', ''],
  ['sends one byte', '\x16'],
  ['sends half a ClientHello', '\x16\x03\x01\x01\x00\x01'],
])('closes a stranger that %s, after 2 s', async (_title, bytes) => {
  const socket = await raw();
  socket.write(Buffer.from(bytes, 'latin1'));
  await open(1);
  edge.nowMs += 1999;
  expect(socket.destroyed).toBe(false);
  edge.nowMs += 1;
  await closed(socket);
});

it.each([
  ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
  ['an alert', '\x15\x03\x01\x00\x02\x01\x00'],
  ['a ClientHello of 16 MiB', '\x16\x03\x01\x40\x00\x01\xff\xff\xff'],
])('closes a stranger that sends %s at once', async (_title, bytes) => {
  const socket = await raw();
  const heard = received(socket);
  socket.write(Buffer.from(bytes, 'latin1'));
  await closed(socket);
  expect([heard.bytes, claims.length]).toEqual([0, 0]);
});

it('keeps a stranger while its name is looked up, and steers it once registered, beyond 16 queries', async () => {
  const socket = await tls();
  const heard = received(socket);
  await until(() => claims.length === 1, 'the name is looked up');
  expect(claims[0]).toMatchObject({ token: NAME.split('.')[0], isRegistered: false });
  edge.nowMs += 5000;
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(socket.destroyed).toBe(false);
  edge.register(STRANGER);
  decide(ClaimOutcome.REGISTERED);
  await once(socket, 'secureConnect');
  for (let i = 1; i <= 20; i++) {
    const before = heard.bytes;
    socket.write(framed(QUERY));
    await until(() => heard.bytes > before, `answer ${i}`);
  }
  expect(socket.destroyed).toBe(false);
});

it('counts a connection that was let in to the share of its source', async () => {
  const first = await tls();
  await until(() => claims.length === 1, 'the name is looked up');
  const decideFirst = decide;
  const second = await tls();
  await until(() => claims.length === 2, 'the name is looked up again');
  const decideSecond = decide;
  edge.register(STRANGER);
  decideSecond(ClaimOutcome.REGISTERED);
  await once(second, 'secureConnect');
  decideFirst(ClaimOutcome.REGISTERED);
  await closed(first);
  await open(1);
  const third = await tls();
  await closed(third);
  second.destroy();
  await open(0);
  const fourth = await tls();
  await once(fourth, 'secureConnect');
});

it('closes the connection when the listener stops while a name is looked up', async () => {
  const socket = await tls();
  await until(() => claims.length === 1, 'the name is looked up');
  server.server.stop();
  decide(ClaimOutcome.DEAD);
  await closed(socket);
});

it('reports the name of a registered source, which waits for nothing', async () => {
  edge.register(STRANGER);
  const socket = await tls();
  await once(socket, 'secureConnect');
  await until(() => claims.length === 1, 'the name is reported');
  expect(claims[0]).toMatchObject({ isRegistered: true });
});
