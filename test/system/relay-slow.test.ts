/** Memory held for clients that read or write slowly, and tunnels whose origin is killed. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helloFor } from '../relay/support.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { type Endpoint, FILMS, NODE, Program, RunningService, until } from '../support/service.ts';

const HOME = '127.0.6.20';
const MIB = 1 << 20;
const SLOW_READERS = 30;
const HALF_HELLOS = 300;
/** Sends 24 MiB to each client and waits for the end. */
const ORIGIN = `
  const { createServer } = require('node:net');
  const block = Buffer.alloc(24 << 20);
  const server = createServer((socket) => { socket.on('error', () => {}); socket.resume(); socket.write(block); });
  server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ msg: 'port', port: server.address().port })));
`;

let upstream: FakeUpstream;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'A' ? [{ type: 'A' as const, name: query.name, ttl: 60, data: '127.0.0.1' }] : [];
    answer({ answers })(query, replier);
  };
});
afterAll(() => upstream.stop());

function rss({ child }: RunningService): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]);
}

describe.each(['epoll', 'streams'] as const)('a relay by %s', (engine) => {
  let origin: Program;
  let service: RunningService;
  let relay: Endpoint;
  const sockets: Socket[] = [];

  beforeAll(async () => {
    origin = new Program(NODE, ['-e', ORIGIN]);
    const { port: originPort } = await origin.logged('port');
    service = await RunningService.start({
      config: {
        roles: ['control', 'edge', 'relay'],
        upstreams: [upstream.url],
        regions: { us: { relays: [{ address: '127.0.0.1' }] } },
        relay: {
          tls: ['127.0.0.1:0'],
          allowPrivateOrigins: true,
          originPort,
          drainSeconds: 0,
          engine,
          limits: { newPerSecond: 1000, newBurst: 1000, handshakeSeconds: 2 },
        },
      },
    });
    await service.household([HOME]);
    const ready = (await service.logged('ready')) as unknown as { relay: { tls: string[] } };
    relay = { host: '127.0.0.1', port: Number(ready.relay.tls[0]!.split(':')[1]) };
  });
  afterAll(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    origin.kill('SIGKILL');
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.stderr).toBe('');
  });

  async function dial(): Promise<Socket> {
    const socket = connect({ ...relay, localAddress: HOME, allowHalfOpen: false });
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  it('buffers little for readers at 10 kB/s and serves another meanwhile', async () => {
    const first = await dial();
    first.write(helloFor(FILMS));
    await once(first, 'data');
    const before = rss(service);
    const slow = await Promise.all(Array.from({ length: SLOW_READERS }, dial));
    for (const socket of slow) socket.write(helloFor(FILMS));
    const timer = setInterval(() => {
      for (const socket of slow) socket.read(2500);
    }, 250);
    const quick = await dial();
    quick.write(helloFor(FILMS));
    let received = 0;
    quick.on('data', (chunk) => {
      received += chunk.length;
    });
    await until(() => received === 24 * MIB, 'the quick one has all');
    // 720 MiB in total. A tunnel may hold a slab or a stream's buffer each way; streams also leave garbage.
    expect(rss(service) - before).toBeLessThan((engine === 'epoll' ? 64 : 240) * MIB);
    clearInterval(timer);
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('buffers little for endless hellos and closes them in time', async () => {
    const before = rss(service);
    const partial = Buffer.concat([Buffer.of(22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0), Buffer.alloc(16_000)]);
    let closed = 0;
    await Promise.all(
      Array.from({ length: HALF_HELLOS }, async () => {
        const socket = await dial();
        socket.once('close', () => closed++);
        socket.resume().write(partial);
      }),
    );
    // 5 MB that the clients sent, plus garbage.
    expect(rss(service) - before).toBeLessThan(40 * MIB);
    await until(() => closed === HALF_HELLOS, 'all are closed');
    expect(await service.metrics()).toMatch(
      new RegExp(`relay_connections_total{[^}]*outcome="timeout"} ${HALF_HELLOS}`),
    );
  });

  it('ends the tunnels of a killed origin, and serves on', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, dial));
    let closed = 0;
    for (const socket of clients) {
      socket.once('close', () => closed++);
      socket.write(helloFor(FILMS));
      await once(socket, 'readable');
      socket.resume();
    }
    origin.kill('SIGKILL');
    await until(() => closed === clients.length, 'they are ended');
    const late = await dial();
    late.resume().write(helloFor(FILMS));
    await once(late, 'close');
    expect(await service.metrics()).toMatch(/relay_connections_total{[^}]*outcome="unreachable"} 1/);
  });
});
