/** The outcomes of probes, on loopback. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { Prober } from '../../../src/catalog/health/index.ts';
import { ProbeNotice, writeProbeNotice } from '../../../src/net/index.ts';
import { makeCertificate } from '../../support/certificate.ts';

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function probe(port: number, timeoutMs = 10_000, signal?: AbortSignal): Promise<string> {
  const prober = new Prober({ now: () => 0, hasFamily: () => true });
  const target = { address: '127.0.0.1', port, name: 'www.films.example' };
  return (await prober.probe(target, timeoutMs, signal)).outcome;
}

/** A relay that answers the ClientHello with these bytes and closes. */
const answering = (bytes: Uint8Array) =>
  createServer((socket) => socket.once('data', () => socket.end(bytes)));

describe('a probe', () => {
  it.each([
    ['DRAINING', 'draining'],
    ['UNLISTED', 'unlisted'],
    ['UNRESOLVED', 'no-address'],
    ['FORBIDDEN', 'forbidden'],
    ['UNREACHABLE', 'origin-unreachable'],
  ] as const)("reads the relay's notice %s", async (notice, outcome) => {
    expect(await probe(await listen(answering(writeProbeNotice(ProbeNotice[notice]))))).toBe(outcome);
  });

  it("does not take an origin's alert for the relay's notice", async () => {
    const alert = writeProbeNotice(ProbeNotice.DRAINING);
    alert[2] = 3;
    expect(await probe(await listen(answering(alert)))).toBe('origin-refuses');
  });

  it('is `closed` without a byte, and `timeout` without a reply', async () => {
    expect(await probe(await listen(answering(new Uint8Array(0))))).toBe('closed');
    expect(await probe(await listen(createServer((socket) => socket.resetAndDestroy())))).toBe('closed');
    expect(await probe(await listen(createServer()), 50)).toBe('timeout');
  });

  it('is `unreachable` without a listener, and `untried` when aborted', async () => {
    const port = await listen(createServer());
    servers.pop()!.close();
    expect(await probe(port)).toBe('unreachable');
    const ending = new AbortController();
    const ended = probe(await listen(createServer()), 10_000, ending.signal);
    ending.abort();
    expect(await ended).toBe('untried');
    expect(await probe(port, 10_000, ending.signal)).toBe('untried');
  });

  it('needs a handshake with a trusted certificate', async () => {
    const server = createTlsServer(makeCertificate(['DNS:www.films.example']));
    server.on('tlsClientError', () => {});
    server.on('secureConnection', (socket) => socket.on('error', () => {}));
    expect(await probe(await listen(server))).toBe('certificate');
  });
});
