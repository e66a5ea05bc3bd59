import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { StreamServer } from '../../../src/dns/index.ts';
import { connectionCounter, openConnections, Transport } from '../../../src/metrics/index.ts';
import { ListenError } from '../../../src/net/index.ts';
import { Rcode } from '../../../src/wire/index.ts';
import { a, query } from '../support.ts';
import { framed, StreamClient } from './client.ts';
import { clients, SERVER, Stage } from './support.ts';

const STRANGER = '127.0.0.9';
const BIG_RECORDS = 3000;

describe('DNS over TCP', () => {
  it('answers steered names, resolved names and unregistered sources', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    client.send(query('netflix.com', 'A', { id: 1 }));
    await client.got(1);
    client.send(query('Some.example', 'A', { id: 2 }));
    const [steered, resolved] = await client.got(2);
    expect([steered.reply.id, steered.answers.length]).toEqual([1, 2]);
    expect([resolved.reply.id, resolved.answers]).toEqual([2, ['Some.example A 300 192.0.2.77']]);
    const stranger = await stage.connect(STRANGER);
    stranger.send(query('netflix.com', 'A', { opt: {} }));
    const [refused] = await stranger.got(1);
    expect([refused.rcode, refused.extendedError]).toEqual([Rcode.REFUSED, 18]);
  });

  it('listens on several addresses of both families', async () => {
    const stage = await new Stage().start({}, ['127.0.0.1:0', '[::1]:0']);
    for (const { address, port } of stage.listener.addresses) {
      const client = await StreamClient.open(port, address.family === 4 ? '127.0.0.1' : '::1');
      clients.push(client);
      client.send(query('netflix.com'));
      expect((await client.got(1))[0].rcode).toBe(Rcode.NOERROR);
    }
  });

  it('answers two queries of one write', async () => {
    const client = await (await new Stage().start()).connect();
    client.send(query('netflix.com', 'A', { id: 1 }), query('localhost', 'A', { id: 2 }));
    await client.got(2);
    expect(client.ids).toEqual([1, 2]);
  });

  it('does not let a slow answer hold up the next', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    client.send(query('a.slow.example', 'A', { id: 1 }), query('netflix.com', 'A', { id: 2 }));
    await client.got(1);
    expect(client.ids).toEqual([2]);
    stage.release();
    await client.got(2);
    expect(client.ids).toEqual([2, 1]);
  });

  it('reads a query that arrives byte by byte, its length field too', async () => {
    const client = await (await new Stage().start()).connect();
    for (const byte of framed(query('netflix.com'))) {
      client.socket.write(Uint8Array.of(byte));
      await delay(1);
    }
    expect((await client.got(1))[0].answers).toHaveLength(2);
  });

  it('answers a client that has ended its side, then closes', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    client.socket.end(framed(query('netflix.com', 'A', { id: 1 }), query('b.slow.example', 'A', { id: 2 })));
    await client.got(1);
    stage.release();
    await client.got(2);
    await client.closed;
    expect(client.ended).toBe(true);
  });

  it('checks the allowlist at every query of an open connection', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    client.send(query('netflix.com'));
    expect((await client.got(1))[0].rcode).toBe(Rcode.NOERROR);
    stage.edge.unregister(SERVER);
    client.send(query('netflix.com'));
    expect((await client.got(2))[1].rcode).toBe(Rcode.REFUSED);
  });

  it('closes on bytes that are not a query, and on unregistered sources with dns.unregistered: drop', async () => {
    const stage = await new Stage({ unregistered: 'drop' }).start();
    const response = query('netflix.com');
    response[2] |= 0x80;
    for (const message of [Buffer.alloc(0), Buffer.alloc(5), response]) {
      const client = await stage.connect();
      client.send(message, query('netflix.com'));
      await client.closed;
      expect(client.replies).toEqual([]);
    }
    const stranger = await stage.connect(STRANGER);
    stranger.send(query('netflix.com'));
    await stranger.closed;
    expect(stranger.replies).toEqual([]);
  });

  it('answers malformed queries with FORMERR and keeps the connection', async () => {
    const client = await (await new Stage().start()).connect();
    client.send(query('netflix.com').subarray(0, 20), query('netflix.com'));
    expect((await client.got(2)).map(({ bytes }) => bytes[3] & 15)).toEqual([Rcode.FORMERR, Rcode.NOERROR]);
  });

  it('survives resets while answers are pending', async () => {
    const stage = await new Stage().start();
    for (let i = 0; i < 5; i++) {
      const client = await stage.connect();
      client.send(query('c.slow.example'), query('netflix.com'));
      await client.got(1);
      client.socket.resetAndDestroy();
    }
    stage.release();
    await stage.answerer.idle();
    while (stage.listener.openConnections > 0) await delay(1);
    const client = await stage.connect();
    client.send(query('netflix.com'));
    expect((await client.got(1))[0].rcode).toBe(Rcode.NOERROR);
  });

  it('counts accepted and open connections', async () => {
    const stage = await new Stage().start();
    const { values } = stage.edge.counters;
    const client = await stage.connect();
    await stage.connect();
    while (stage.listener.openConnections < 2) await delay(1);
    client.socket.destroy();
    while (stage.listener.openConnections > 1) await delay(1);
    expect(values[connectionCounter(Transport.TCP)]).toBe(2);
    expect(values[openConnections(Transport.TCP)]).toBe(1);
  });

  it('names the address that it could not bind, and leaves nothing open', async () => {
    const stage = await new Stage().start();
    const taken = `${SERVER}:${stage.port}`;
    const other = await new Stage().start();
    const free = `${SERVER}:${other.port}`;
    await other.listener.close();
    await expect(new Stage().start({}, [free, taken])).rejects.toThrow(ListenError);
    await expect(new Stage().start({}, [free, taken])).rejects.toThrow(`dns.tcp: cannot listen on ${taken}`);
    await new Stage().start({}, [free]);
  });
});

describe('the limits on connections over TCP', () => {
  it('close a connection that announces a query of more than 4096 bytes', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    client.socket.write(Uint8Array.of(0x10, 0x01));
    await client.closed;
    expect([client.replies.length, stage.limited]).toEqual([0, 1]);
  });

  it('close an idle connection, even if single bytes keep arriving', async () => {
    const stage = await new Stage().start({ idleSeconds: 5 });
    const [idle, trickling, asking] = [await stage.connect(), await stage.connect(), await stage.connect()];
    for (const client of [idle, trickling, asking]) client.send(query('netflix.com'));
    for (const client of [idle, trickling, asking]) await client.got(1);
    stage.edge.nowMs += 4900;
    trickling.socket.write(Uint8Array.of(0, 40, 1));
    asking.send(query('netflix.com'));
    await asking.got(2);
    stage.edge.nowMs += 200;
    trickling.socket.write(Uint8Array.of(2));
    await Promise.all([idle.closed, trickling.closed]);
    asking.send(query('netflix.com'));
    expect(await asking.got(3)).toHaveLength(3);
    expect(stage.limited).toBe(2);
  });

  it('keep a connection that waits for its answer', async () => {
    const stage = await new Stage().start({ idleSeconds: 5 });
    const [waiting, idle] = [await stage.connect(), await stage.connect()];
    waiting.send(query('d.slow.example'));
    while (stage.resolving === 0) await delay(1);
    stage.edge.nowMs += 60_000;
    await idle.closed;
    stage.release();
    expect(await waiting.got(1)).toHaveLength(1);
  });

  it('close a connection after queriesPerConnection, once all are answered', async () => {
    const stage = await new Stage().start({ queriesPerConnection: 3 });
    const client = await stage.connect();
    client.send(
      query('e.slow.example', 'A', { id: 1 }),
      ...[2, 3, 4, 5].map((id) => query('netflix.com', 'A', { id })),
    );
    await client.got(2);
    stage.release();
    client.socket.end();
    await client.closed;
    expect(client.ids).toEqual([2, 3, 1]);
    expect(stage.limited).toBe(1);
  });

  it('close connections above those of one source; others are served', async () => {
    const stage = await new Stage().start({ connectionsPerSource: 2 });
    const first = [await stage.connect(), await stage.connect()];
    await (await stage.connect()).closed;
    expect(stage.limited).toBe(1);
    stage.edge.register('127.0.0.61');
    for (const client of [...first, await stage.connect('127.0.0.61')]) {
      client.send(query('netflix.com'));
      await client.got(1);
    }
    first[0].socket.destroy();
    while (stage.listener.openConnections > 2) await delay(1);
    const again = await stage.connect();
    again.send(query('netflix.com'));
    expect(await again.got(1)).toHaveLength(1);
  });

  it('make the source with most connections give way when all are taken', async () => {
    const stage = await new Stage().start({ connectionsPerSource: 20, connections: 60 });
    const held: StreamClient[] = [];
    for (const home of ['127.0.0.61', '127.0.0.62', '127.0.0.63']) {
      stage.edge.register(home);
      for (let i = 0; i < 20; i++) held.push(await stage.connect(home));
    }
    while (stage.listener.openConnections < 60) await delay(1);
    for (let i = 0; i < 3; i++) {
      const honest = await stage.connect();
      honest.send(query('netflix.com'));
      expect((await honest.got(1))[0].rcode).toBe(Rcode.NOERROR);
    }
    while (stage.listener.openConnections > 60) await delay(1);
    expect(stage.limited).toBe(3);
    const alive = held.filter(({ socket }) => !socket.destroyed);
    expect(alive).toHaveLength(57);
  });

  it('bound memory for a client that asks and does not read, and answer it when it reads', async () => {
    const stage = await new Stage().start();
    const records = Array.from({ length: BIG_RECORDS }, (_, i) =>
      a('big.example', 300, `10.0.${i >> 8}.${i & 255}`),
    );
    stage.edge.cacheAnswer('big.example', records);
    const socket = connect({ port: stage.port, host: SERVER });
    await once(socket, 'connect');
    socket.pause();
    const client = [...serverSockets(stage.listener)];
    const asked = 1000;
    const ids = Array.from({ length: asked }, (_, id) => query('big.example', 'A', { id }));
    socket.write(framed(...ids));
    while (client.length === 0) {
      await delay(1);
      client.push(...serverSockets(stage.listener));
    }
    // Bounded by the kernel's buffers and our own limit: each answer has 48 kB, all together 48 MB.
    let largest = 0;
    for (let i = 0; i < 100; i++) {
      await delay(2);
      largest = Math.max(largest, client[0].writableLength);
    }
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(512 * 1024);
    let receivedBytes = 0;
    const expected = asked * (2 + 12 + 17 + BIG_RECORDS * 16);
    socket.on('data', (chunk) => {
      receivedBytes += chunk.length;
      largest = Math.max(largest, client[0].writableLength);
    });
    socket.resume();
    while (receivedBytes < expected) await delay(5);
    expect(receivedBytes).toBe(expected);
    expect(largest).toBeLessThan(512 * 1024);
    socket.destroy();
  });

  it('answer every query of one write, even above MAX_IN_FLIGHT', async () => {
    const stage = await new Stage().start();
    const client = await stage.connect();
    const asked = Array.from({ length: 350 }, (_, id) => query(`n${id}.slow.example`, 'A', { id }));
    client.socket.end(framed(...asked));
    while (stage.resolving < 100) await delay(1);
    await delay(20);
    expect(stage.resolving).toBe(100);
    stage.release();
    await client.got(350);
    await client.closed;
    expect(client.ids.sort((x, y) => x - y)).toEqual(asked.map((_, id) => id));
  });
});

describe('a listener that is stopped', () => {
  it('stops accepting, answers pending queries, and ends the connections', async () => {
    const stage = await new Stage().start();
    const [waiting, idle] = [await stage.connect(), await stage.connect()];
    waiting.send(query('f.slow.example'));
    while (stage.resolving === 0 || stage.listener.openConnections < 2) await delay(1);
    stage.listener.stop();
    waiting.send(query('netflix.com'));
    idle.socket.end();
    await idle.closed;
    await expect(stage.connect()).rejects.toThrow();
    stage.release();
    await waiting.got(1);
    waiting.socket.end();
    await waiting.closed;
    expect(waiting.replies).toHaveLength(1);
    expect([idle.ended, waiting.ended]).toEqual([true, true]);
  });
});

/** Returns the server's ends of a listener's connections. */
function serverSockets(listener: StreamServer): { writableLength: number }[] {
  const { connections } = listener as unknown as { connections: Set<{ socket: { writableLength: number } }> };
  return [...connections].map(({ socket }) => socket);
}
