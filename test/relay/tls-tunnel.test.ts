/** TLS tunnels with both engines: what is carried, how tunnels end, and what is rejected. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hello, inRecords, POST_QUANTUM } from '../net/hello/build.ts';
import { makeCertificate } from '../support/certificate.ts';
import { until } from '../support/until.ts';
import { helloFor, Origin, type Peer, RelayBed } from './support.ts';

const HOME = '127.0.0.9';
const NAME = 'www.films.example';
const certificate = makeCertificate([`DNS:${NAME}`]);

describe.each(['epoll', 'streams'] as const)('a TLS relay by %s', (engine) => {
  let bed: RelayBed;
  let origin: Origin;
  let onConnection: (peer: Peer) => void = () => {};

  beforeAll(async () => {
    origin = await Origin.start((peer) => onConnection(peer));
    bed = await RelayBed.start({ engine, originPort: origin.port });
    expect(bed.relay.engine).toBe(engine);
  });
  afterAll(async () => {
    await bed.stop();
    origin.stop();
  });
  beforeEach(() => {
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    onConnection = () => {};
    origin.peers.length = 0;
  });
  afterEach(async () => {
    for (const { socket } of origin.peers) socket.destroy();
    await until(() => bed.open === 0, 'all tunnels have ended');
  });

  /** Opens a tunnel and returns both ends. */
  async function tunnel(
    options: Parameters<RelayBed['dial']>[0] = {},
  ): Promise<[client: Peer, server: Peer]> {
    const client = await bed.dial(options);
    client.socket.write(helloFor(NAME));
    const server = await origin.peer(origin.peers.length);
    await server.until(({ received }) => received.length >= helloFor(NAME).length);
    server.received = Buffer.alloc(0);
    return [client, server];
  }

  async function isClosed(
    client: Peer,
    outcome: Parameters<RelayBed['count']>[0],
    before: number,
  ): Promise<void> {
    client.socket.end();
    await client.closed;
    expect(client.received.length).toBe(0);
    expect(origin.peers).toEqual([]);
    await until(() => bed.count(outcome) === before + 1, outcome);
  }

  it('replays the hello unchanged and carries both directions', async () => {
    const client = await bed.dial();
    const bytes = Buffer.from(inRecords(hello({ name: NAME, extensions: [POST_QUANTUM] }), 500));
    client.socket.write(bytes.subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.socket.write(bytes.subarray(3, 1300));
    await new Promise((resolve) => setTimeout(resolve, 20));
    client.socket.write(bytes.subarray(1300));
    const server = await origin.peer(0);
    await server.until(({ received }) => received.length === bytes.length);
    expect(server.received.equals(bytes)).toBe(true);
    server.socket.write('answer');
    await client.until(({ text }) => text === 'answer');
    client.socket.end('more');
    await server.until(({ ended }) => ended);
    expect(server.text.slice(bytes.length)).toBe('more');
    server.socket.end();
    expect(await client.closed).toBe('end');
  });

  it('carries what a client sends after its hello before the origin is connected', async () => {
    bed.names.set(`early.${NAME}`, ['127.0.0.1']);
    const client = await bed.dial();
    const bytes = Buffer.concat([helloFor(`early.${NAME}`), Buffer.from('early data')]);
    client.socket.write(bytes);
    const server = await origin.peer(0);
    await server.until(({ received }) => received.length === bytes.length);
    expect(server.received.equals(bytes)).toBe(true);
    client.socket.destroy();
  });

  it('keeps one direction open when the other has ended', async () => {
    const before = bed.count('CARRIED');
    const [client, server] = await tunnel();
    client.socket.end('request');
    await server.until(({ ended }) => ended);
    expect(server.text).toBe('request');
    for (const part of ['a', 'b', 'c']) server.socket.write(part);
    server.socket.end('d');
    expect(await client.closed).toBe('end');
    expect(client.text).toBe('abcd');
    await until(() => bed.count('CARRIED') === before + 1, 'it is counted');
  });

  it('passes a reset on in both directions', async () => {
    const [client, server] = await tunnel();
    server.socket.resetAndDestroy();
    expect(await client.closed).toBe('ECONNRESET');
    const [other, otherServer] = await tunnel();
    other.socket.resetAndDestroy();
    expect(await otherServer.closed).toBe('ECONNRESET');
  });

  it('carries bulk data unchanged through many connections, in both directions', {
    timeout: 60_000,
  }, async () => {
    // With epoll 1 GB in each direction.
    const connections = engine === 'epoll' ? 200 : 40;
    const part = randomBytes(5 << 19);
    const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const digest = digestOf(Buffer.concat([part, part]));
    const hashes: string[] = [];
    onConnection = ({ socket }) => {
      const hash = createHash('sha256');
      let skip = helloFor(NAME).length;
      socket.removeAllListeners('data');
      socket.on('data', (chunk: Buffer) => {
        hash.update(chunk.subarray(skip));
        skip = Math.max(0, skip - chunk.length);
      });
      socket.once('end', () => hashes.push(hash.digest('hex')));
      socket.write(part);
      socket.end(part);
    };
    const clients = await Promise.all(Array.from({ length: connections }, () => bed.dial()));
    const results = clients.map(async ({ socket, closed }) => {
      const hash = createHash('sha256');
      socket.removeAllListeners('data');
      socket.on('data', (chunk: Buffer) => hash.update(chunk));
      socket.write(helloFor(NAME));
      socket.write(part);
      socket.end(part);
      expect(await closed).toBe('end');
      return hash.digest('hex');
    });
    expect(await Promise.all(results)).toEqual(clients.map(() => digest));
    await until(() => hashes.length === clients.length, 'the origin has all');
    expect(hashes).toEqual(clients.map(() => digest));
  });

  it.each(['origin', 'client'] as const)(
    'delivers everything in flight to the %s after both directions have ended',
    async (reader) => {
      const piece = randomBytes(16_000);
      /**
       * Sends pieces to a reader that has ended and reads nothing, until the relay takes no more or `limit`.
       */
      const send = async (limit: number): Promise<[number, from: Peer, to: Peer]> => {
        const [client, server] = await tunnel();
        const [from, to] = reader === 'origin' ? [client, server] : [server, client];
        to.socket.removeAllListeners('data');
        to.socket.pause();
        to.socket.end();
        await from.until(({ ended }) => ended);
        const start = bed.carried;
        for (let pieces = 0; pieces < limit; pieces++) {
          from.socket.write(piece);
          const taken = start + (pieces + 1) * piece.length;
          const lateMs = performance.now() + 100;
          while (bed.carried < taken) {
            if (performance.now() > lateMs) return [pieces + 1, from, to];
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
        return [limit, from, to];
      };
      const [most, ...peers] = await send(5000);
      for (const { socket } of peers) socket.destroy();
      // Enough that the relay still holds some when it reads the end; the kernel's buffers vary a little.
      for (const fewer of [2, 3, 4, 5]) {
        const [count, from, to] = await send(Math.max(most - fewer, 1));
        from.socket.end();
        await from.closed;
        let received = 0;
        for await (const chunk of to.socket) received += chunk.length;
        expect(received).toBe(count * piece.length);
      }
    },
  );

  it('buffers little for a slow reader and serves others meanwhile', async () => {
    let sent = 0;
    const block = Buffer.alloc(64 * 1024);
    onConnection = ({ socket }) => {
      const more = (): void => {
        while (sent < 256 << 20 && socket.write(block)) sent += block.length;
      };
      socket.on('drain', more);
      more();
    };
    const slow = await bed.dial();
    slow.socket.pause();
    slow.socket.write(helloFor(NAME));
    await until(async () => {
      const before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return sent > 0 && sent === before;
    }, 'the origin is held back');
    // Two receive buffers, which tcp_rmem may let grow to 32 MB, two send buffers, and a slab or a stream's buffer.
    expect(sent).toBeLessThan(128 << 20);
    onConnection = () => {};
    origin.peers.length = 0;
    const [client, server] = await tunnel();
    server.socket.write('quick');
    await client.until(({ text }) => text === 'quick');
    for (const { socket } of [slow, client]) socket.destroy();
  });

  it('ends the tunnels of an ended registration, and no others', async () => {
    bed.register('127.0.0.10');
    const [client] = await tunnel();
    const [other, otherServer] = await tunnel({ from: '127.0.0.10' });
    bed.unregister(HOME);
    expect(await client.closed).toBe('ECONNRESET');
    otherServer.socket.write('still there');
    await other.until(({ text }) => text === 'still there');
    other.socket.destroy();
  });

  it('connects to the next address if the first does not answer', async () => {
    bed.names.set(`both.${NAME}`, ['::1', '127.0.0.1']);
    const client = await bed.dial();
    client.socket.write(helloFor(`both.${NAME}`));
    await origin.peer(0);
    client.socket.destroy();
  });

  it('asks its resolver once for an origin with IPv4 alone', async () => {
    if (engine === 'streams') return;
    bed.names.set(`ipv4.${NAME}`, ['127.0.0.1']);
    const before = bed.asked.length;
    for (let i = 0; i < 4; i++) {
      const client = await bed.dial();
      client.socket.write(helloFor(`ipv4.${NAME}`));
      await origin.peer(i);
      client.socket.destroy();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(bed.asked.length - before).toBe(2);
  });

  it('closes a connection of an unregistered source without reading it', async () => {
    const before = bed.count('UNREGISTERED');
    const client = await bed.dial({ from: '127.0.0.66' });
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await isClosed(client, 'UNREGISTERED', before);
  });

  it.each([
    ['an unlisted name', 'UNLISTED', helloFor('www.example')],
    ['a name that ends like a listed one', 'UNLISTED', helloFor('evil-films.example')],
    ['a name below one that is listed alone', 'UNLISTED', helloFor('a.one.example')],
    ['a dot at the end', 'MALFORMED', helloFor(`${NAME}.`)],
    ['NUL in the name', 'MALFORMED', helloFor(`${NAME}\0.evil.example`)],
    ['an IPv4 address', 'MALFORMED', helloFor('127.0.0.1')],
    ['a mapped address', 'MALFORMED', helloFor('::ffff:127.0.0.1')],
    ['the metadata address', 'MALFORMED', helloFor('169.254.169.254')],
    ['no name', 'UNNAMED', Buffer.from(inRecords(hello({})))],
    ['a declared 16 MiB', 'MALFORMED', Buffer.of(22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff)],
    ['plain HTTP', 'MALFORMED', Buffer.from(`GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`)],
  ] as const)('closes a connection with %s', async (_, outcome, bytes) => {
    const before = bed.count(outcome);
    const client = await bed.dial();
    client.socket.write(bytes);
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await isClosed(client, outcome, before);
  });

  it.each([
    ['the cloud metadata', ['169.254.169.254']],
    ['every address', ['0.0.0.0', '::']],
    ['a mapped metadata address', ['::ffff:169.254.169.254']],
    ['a translated loopback address', ['64:ff9b::7f00:1', '2002:7f00:1::1', '::7f00:1']],
    ['multicast', ['224.0.0.1', 'ff02::1']],
  ])('does not connect to a listed name that resolves to %s', async (what, addresses) => {
    const before = bed.count('FORBIDDEN');
    const name = `${what.replaceAll(' ', '-')}.films.example`;
    bed.names.set(name, addresses);
    const client = await bed.dial();
    client.socket.write(helloFor(name));
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await isClosed(client, 'FORBIDDEN', before);
  });

  it('does not connect if a known name now resolves to a forbidden address', async () => {
    bed.ttlSeconds = 0;
    const name = 'rebound.films.example';
    bed.names.set(name, ['127.0.0.1']);
    const first = await bed.dial();
    first.socket.write(helloFor(name));
    await origin.peer(0);
    first.socket.destroy();
    for (const { socket } of origin.peers.splice(0)) socket.destroy();
    const before = bed.count('FORBIDDEN');
    bed.names.set(name, ['169.254.169.254']);
    const second = await bed.dial();
    second.socket.write(helloFor(name));
    await second.until(({ ended, socket }) => ended || socket.destroyed);
    await isClosed(second, 'FORBIDDEN', before);
    bed.ttlSeconds = 300;
  });

  it('carries TLS 1.3 with a post-quantum key share, whose hello spans several segments', async () => {
    onConnection = ({ socket }) => {
      socket.removeAllListeners('data');
      const server = new TLSSocket(socket, { isServer: true, ...certificate });
      server.on('data', (chunk) => server.end(chunk));
    };
    const { socket } = await bed.dial();
    socket.removeAllListeners('data');
    const written: number[] = [];
    /** Sends TLS in pieces of 500 bytes. */
    const pieces = new Duplex({
      write(chunk: Buffer, _, done) {
        written.push(chunk.length);
        const send = (at: number): void => {
          if (at >= chunk.length) done();
          else socket.write(chunk.subarray(at, at + 500), () => setImmediate(send, at + 500));
        };
        send(0);
      },
      final: (done) => void socket.end(done),
      read() {},
    });
    socket.on('data', (chunk) => pieces.push(chunk));
    socket.once('end', () => pieces.push(null));
    const { cert: ca } = certificate;
    const client = connectTls({ socket: pieces, servername: NAME, ca, ecdhCurve: 'X25519MLKEM768' });
    await once(client, 'secureConnect');
    expect(client.getProtocol()).toBe('TLSv1.3');
    // The key share alone has 1,216 bytes.
    expect(written[0]).toBeGreaterThan(1216);
    client.write('over it');
    const [answer] = await once(client, 'data');
    expect(String(answer)).toBe('over it');
    client.destroy();
    socket.destroy();
  });

  it('closes the connection if the name does not resolve', async () => {
    const before = bed.count('UNRESOLVED');
    const client = await bed.dial();
    client.socket.write(helloFor('nowhere.films.example'));
    await client.until(({ ended, socket }) => ended || socket.destroyed);
    await isClosed(client, 'UNRESOLVED', before);
  });
});

describe.each(['epoll', 'streams'] as const)('a strict TLS relay by %s', (engine) => {
  it('does not connect to loopback, private or own addresses, nor after a rebind', async () => {
    const origin = await Origin.start();
    const bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      allowPrivate: false,
      ownAddresses: ['9.9.9.9'],
    });
    bed.register(HOME);
    for (const address of ['127.0.0.1', '10.0.0.1', '::1', '::ffff:127.0.0.1', 'fd00::1', '9.9.9.9']) {
      const name = `${address.replaceAll(/[.:]/g, '-')}.films.example`;
      bed.names.set(name, [address]);
      const client = await bed.dial();
      client.socket.write(helloFor(name));
      client.socket.end();
      await client.closed;
    }
    expect(bed.count('FORBIDDEN')).toBe(6);
    expect(origin.peers).toEqual([]);
    await bed.stop();
    origin.stop();
  });

  it('never connects to its own listener', async () => {
    const free = await Origin.start();
    const { port } = free;
    free.stop();
    const bed = await RelayBed.start({ engine, tlsPort: port, originPort: port });
    bed.register(HOME);
    bed.register('127.0.0.1');
    bed.names.set(NAME, ['127.0.0.1', '::ffff:127.0.0.1']);
    const client = await bed.dial();
    client.socket.write(helloFor(NAME));
    await client.until(({ ended }) => ended);
    expect(bed.count('FORBIDDEN')).toBe(1);
    client.socket.destroy();
    await bed.stop();
  });

  it('closes a connection that sends no name in time, even if it trickles bytes', async () => {
    const bed = await RelayBed.start({ engine, limits: { handshakeMs: 300 } });
    bed.register(HOME);
    const clients = await Promise.all([bed.dial(), bed.dial()]);
    const bytes = helloFor(NAME);
    let at = 0;
    const trickle = setInterval(() => clients[0]!.socket.write(bytes.subarray(at, ++at)), 20);
    await Promise.all(
      clients.map(({ socket, closed }) => {
        socket.on('end', () => socket.end());
        return closed;
      }),
    );
    clearInterval(trickle);
    expect(bed.count('TIMEOUT')).toBe(2);
    await bed.stop();
  });

  it('limits the connections of a source and their rate', async () => {
    const bed = await RelayBed.start({ engine, limits: { connectionsPerSource: 3 } });
    bed.register(HOME);
    bed.register('127.0.0.10');
    const clients = await Promise.all(Array.from({ length: 5 }, () => bed.dial()));
    await until(() => bed.count('LIMITED') === 2, 'two are closed');
    const other = await bed.dial({ from: '127.0.0.10' });
    other.socket.write(helloFor('unlisted.example'));
    await until(() => bed.count('UNLISTED') === 1, 'another source is served');
    for (const { socket } of [...clients, other]) socket.destroy();
    await bed.stop();
  });

  it('carries no more bytes a second than configured', async () => {
    const origin = await Origin.start(({ socket }) => socket.end(Buffer.alloc(600_000)));
    const bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      limits: { bytesPerSecond: 500_000 },
    });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    const startedAt = performance.now();
    const client = await bed.dial();
    client.socket.write(helloFor(NAME));
    await client.until(({ ended }) => ended);
    expect(client.received.length).toBe(600_000);
    expect(performance.now() - startedAt).toBeGreaterThan(700);
    client.socket.end();
    await client.closed;
    await bed.stop();
    origin.stop();
  });

  it('accepts a PROXY header from a trusted balancer only', async () => {
    const origin = await Origin.start();
    const bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      policy: { proxyProtocolFrom: ['127.0.0.20/32'] },
    });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    const header = (from: string) => Buffer.from(`PROXY TCP4 ${from} 127.0.0.1 1234 443\r\n`);
    const good = await bed.dial({ from: '127.0.0.20' });
    good.socket.write(header(HOME).subarray(0, 9));
    await new Promise((resolve) => setTimeout(resolve, 20));
    good.socket.write(Buffer.concat([header(HOME).subarray(9), helloFor(NAME)]));
    const server = await origin.peer(0);
    await server.until(({ received }) => received.length === helloFor(NAME).length);
    expect(server.received.equals(helloFor(NAME))).toBe(true);
    good.socket.destroy();
    const refused = async (from: string, bytes: Buffer) => {
      const client = await bed.dial({ from });
      client.socket.write(bytes);
      client.socket.on('end', () => client.socket.end());
      await client.closed;
    };
    await refused('127.0.0.20', Buffer.concat([header('127.0.0.66'), helloFor(NAME)]));
    await refused('127.0.0.20', helloFor(NAME));
    await refused(HOME, Buffer.concat([header(HOME), helloFor(NAME)]));
    await refused('127.0.0.66', Buffer.concat([header(HOME), helloFor(NAME)]));
    expect(origin.peers.length).toBe(1);
    expect([bed.count('UNREGISTERED'), bed.count('MALFORMED')]).toEqual([2, 2]);
    await bed.stop();
    origin.stop();
  });

  it.each([
    ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['v2 LOCAL', Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex')],
    [
      'v2 LOCAL with addresses',
      Buffer.from('0d0a0d0a000d0a515549540a2011000c7f0000017f00000104d201bb', 'hex'),
    ],
    ['v2 of AF_UNSPEC', Buffer.from('0d0a0d0a000d0a515549540a21000000', 'hex')],
  ])("uses the balancer's own address after a %s header", async (_, header) => {
    const origin = await Origin.start();
    const policy = { proxyProtocolFrom: ['127.0.0.20/32', '127.0.0.21/32'] };
    const bed = await RelayBed.start({ engine, originPort: origin.port, policy });
    bed.register('127.0.0.20');
    bed.names.set(NAME, ['127.0.0.1']);
    const check = await bed.dial({ from: '127.0.0.20' });
    check.socket.write(Buffer.concat([header, helloFor(NAME)]));
    const server = await origin.peer(0);
    await server.until(({ received }) => received.length === helloFor(NAME).length);
    const stranger = await bed.dial({ from: '127.0.0.21' });
    stranger.socket.on('end', () => stranger.socket.end());
    stranger.socket.write(Buffer.concat([header, helloFor(NAME)]));
    await stranger.closed;
    expect([origin.peers.length, bed.count('UNREGISTERED')]).toEqual([1, 1]);
    check.socket.destroy();
    await bed.stop();
    origin.stop();
  });

  it('keeps room for an honest home beside 20 sources and a balancer that take all they can', async () => {
    const origin = await Origin.start();
    const bed = await RelayBed.start({
      engine,
      originPort: origin.port,
      policy: { proxyProtocolFrom: ['127.0.0.20/32'] },
      limits: { connections: 200, connectionsPerSource: 50, strangerConnections: 10 },
    });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    const sockets: Peer[] = [];
    const open = async (from: string) => {
      const client = await bed.dial({ from });
      client.socket.on('end', () => client.socket.end());
      sockets.push(client);
    };
    for (let i = 0; i < 30; i++) await open('127.0.0.20');
    for (let n = 0; n < 20; n++) {
      bed.register(`127.0.2.${n}`);
      for (let i = 0; i < 20; i++) await open(`127.0.2.${n}`);
    }
    const home = await bed.dial({ from: HOME });
    home.socket.write(helloFor(NAME));
    const server = await origin.peer(0);
    server.socket.write('film');
    await home.until(({ text }) => text === 'film');
    expect(bed.count('LIMITED')).toBeGreaterThan(200);
    for (const { socket } of [home, ...sockets]) socket.destroy();
    await bed.stop();
    origin.stop();
  });

  it('while draining accepts nothing new, lets tunnels end, and finally ends the rest', async () => {
    const origin = await Origin.start();
    const bed = await RelayBed.start({ engine, originPort: origin.port });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    const clients = await Promise.all([bed.dial(), bed.dial()]);
    for (const { socket } of clients) socket.write(helloFor(NAME));
    await origin.peer(1);
    await until(() => bed.open === 2, 'both are open');
    const drained = bed.relay.drain(600);
    const isRefused = () =>
      bed.dial().then(
        ({ socket }) => socket.destroy() && false,
        () => true,
      );
    await until(isRefused, 'no connection is taken');
    const [first, second] = origin.peers as [Peer, Peer];
    first.socket.write('late');
    await until(() => clients.some(({ text }) => text === 'late'), 'it is carried');
    first.socket.end();
    for (const { socket } of clients) socket.on('end', () => socket.end());
    await drained;
    expect(second.socket.destroyed).toBe(false);
    await bed.relay.close();
    await second.until(({ ended, socket }) => ended || socket.destroyed);
    expect([bed.count('CARRIED'), bed.count('DRAINED')]).toEqual([1, 1]);
    await bed.stop();
    origin.stop();
  });

  it('ends an idle tunnel', async () => {
    const origin = await Origin.start();
    const bed = await RelayBed.start({ engine, originPort: origin.port, limits: { idleMs: 300 } });
    bed.register(HOME);
    bed.names.set(NAME, ['127.0.0.1']);
    const client = await bed.dial();
    client.socket.write(helloFor(NAME));
    client.socket.on('end', () => client.socket.end());
    await client.closed;
    expect(bed.count('IDLE')).toBe(1);
    await bed.stop();
    origin.stop();
  });
});
