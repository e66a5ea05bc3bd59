/** One attacker and honest clients beside it, on the whole service with two threads of each kind. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askUdp, encodeQuery, readReply } from '../support/dns-client.ts';
import { buildReply, FakeUpstream } from '../support/fake-upstream.ts';
import { FILMS, RELAY, RunningService, until } from '../support/service.ts';

const HOME = '127.0.0.1';
/** A registered address that an attacker forges: a /24 of its own. */
const FORGED = '127.7.7.7';
const BOOTSTRAP = 'api.example.net';
const LIMITS = { connections: 60, connectionsPerSource: 40, strangerConnections: 30 };
const ANSWER_LIMIT = { bytesPerSecond: 20_000, burstBytes: 100_000 };

let service: RunningService;
let upstream: FakeUpstream;

beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) => {
    const answers =
      query.type === 'TXT'
        ? [{ type: 'TXT' as const, name: query.name, ttl: 300, data: Array(4).fill('x'.repeat(249)) }]
        : [{ type: 'A' as const, name: query.name, ttl: 300, data: '203.0.113.77' }];
    replier.send(buildReply(query, { answers }));
  };
  service = await RunningService.start({
    config: {
      dns: {
        workers: 2,
        tcpLimits: LIMITS,
        answerLimit: ANSWER_LIMIT,
        bootstrapNames: [BOOTSTRAP],
      },
      upstreams: [upstream.url],
    },
  });
  await service.household([HOME, FORGED]);
});
afterAll(async () => {
  await service?.stop();
  await upstream?.stop();
});

const framed = (message: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([message.length >>> 8, message.length & 255]), message]);

async function open(from: string): Promise<Socket> {
  const socket = connect({ ...service.tcp, localAddress: from });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Asks over TCP. @returns the data of the answer */
async function ask(socket: Socket, name: string): Promise<string[]> {
  socket.write(framed(encodeQuery({ name })));
  const [reply] = (await once(socket, 'data')) as [Buffer];
  return readReply(reply.subarray(2)).data;
}

describe('connections of strangers', () => {
  it('take nothing from homes, nor from an honest stranger', async () => {
    const held: Socket[] = [];
    try {
      for (let network = 1; network <= 80; network++) held.push(await open(`127.1.${network}.1`));
      for (let i = 0; i < 20; i++) {
        const [home, stranger] = [await open(HOME), await open(`127.2.${i}.1`)];
        held.push(home, stranger);
        expect(await ask(home, FILMS)).toEqual([RELAY.us.address]);
        expect(await ask(stranger, BOOTSTRAP)).toEqual(['203.0.113.77']);
      }
      const openStrangers = () => held.filter(({ closed, localAddress }) => !closed && localAddress !== HOME);
      for (const socket of held) socket.resume();
      await until(() => openStrangers().length <= LIMITS.strangerConnections, 'strangers give way');
    } finally {
      for (const socket of held) socket.destroy();
    }
  });
});

describe('UDP queries that forge a registered address', () => {
  it('bring the victim little more than the burst; homes elsewhere are answered', async () => {
    const victim = createSocket('udp4').bind(0, FORGED);
    await once(victim, 'listening');
    let received = 0;
    let truncated = 0;
    victim.on('message', (reply) => {
      received += reply.length + 28;
      if ((reply[2]! & 2) !== 0) truncated++;
    });
    const query = encodeQuery({ name: 'big.example', type: 'TXT' });
    const begun = performance.now();
    let sent = 0;
    for (let batch = 0; batch < 60; batch++) {
      for (let i = 0; i < 50; i++) {
        victim.send(query, service.udp.port, service.udp.host);
        sent += query.length + 28;
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => truncated > 1000, 'the limit holds');
    const seconds = (performance.now() - begun) / 1000;
    const allowed = ANSWER_LIMIT.burstBytes + ANSWER_LIMIT.bytesPerSecond * seconds;
    expect(received).toBeLessThan(allowed + 1.5 * sent);
    const steered = await askUdp(service.udp, FORGED, { name: FILMS });
    expect(steered.data, 'a TV at the forged address').toEqual([RELAY.us.address]);
    const other = await askUdp(service.udp, HOME, { name: 'big.example', type: 'TXT' });
    expect(other.bytes.length).toBeGreaterThan(1000);
    victim.close();
  });
});
