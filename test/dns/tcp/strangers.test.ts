import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/net/index.ts';
import { Rcode } from '../../../src/wire/index.ts';
import { a, query } from '../support.ts';
import type { StreamClient } from './client.ts';
import { BALANCER, LIMITS, SERVER, Stage } from './support.ts';

const BOOTSTRAP = 'api.example.net';
const OPEN = {
  bootstrapNames: [BOOTSTRAP],
  testZone: null,
  controlAddresses4: parseAddress('192.0.2.80')!.bytes,
  controlAddresses6: new Uint8Array(0),
};
/** The defaults of dns.tcpLimits. */
const DEFAULTS = { connections: 4096, connectionsPerSource: 64, strangerConnections: 512 };
const HOME6 = '2600:2:0:9::1';

/** A listener where SERVER and HOME6 are registered and BOOTSTRAP is in the cache. */
async function start(limits: Partial<typeof LIMITS> = DEFAULTS): Promise<Stage> {
  const stage = new Stage({ openNames: OPEN });
  stage.edge.register(HOME6);
  stage.edge.cacheAnswer(BOOTSTRAP, [a(BOOTSTRAP, 300, '192.0.2.80')]);
  return stage.start(limits);
}

/** Asks one query. @returns the rcode of the reply */
async function ask(client: StreamClient, name: string): Promise<number> {
  client.send(query(name));
  return (await client.got(1))[0].rcode;
}

const countOpen = (clients: readonly StreamClient[]): number =>
  clients.filter(({ ended, socket }) => !ended && !socket.destroyed).length;

/** Waits until the server has closed all but `count` of the clients. */
async function untilOpen(clients: readonly StreamClient[], count: number): Promise<void> {
  while (countOpen(clients) > count) await delay(5);
}

describe('strangers over TCP', () => {
  it('of one /24 hold a share of their pool; homes and other strangers are answered', async () => {
    const stage = await start();
    const held: StreamClient[] = [];
    for (let host = 1; host <= 65; host++) {
      const batch = Array.from({ length: 64 }, () => stage.connect(`127.0.1.${host}`));
      held.push(...(await Promise.all(batch)));
    }
    await untilOpen(held, 32);
    for (let i = 0; i < 3; i++) {
      expect(await ask(await stage.connect(SERVER), 'netflix.com')).toBe(Rcode.NOERROR);
      expect(await ask(await stage.connect(`127.0.9.${i + 1}`), BOOTSTRAP)).toBe(Rcode.NOERROR);
    }
    expect(await ask(await stage.connect('127.0.1.77'), BOOTSTRAP), 'of the same /24').toBe(Rcode.NOERROR);
  });

  it('of the /64s of one /57 hold a share of their pool; homes and other strangers are answered', async () => {
    const stage = await start();
    const held: StreamClient[] = [];
    for (let network = 0; network <= 64; network++) {
      const source = `2600:1:0:${network.toString(16)}::1`;
      held.push(...(await Promise.all(Array.from({ length: 8 }, () => stage.connectAs(source)))));
    }
    await untilOpen(held, 32);
    for (let i = 0; i < 3; i++) {
      expect(await ask(await stage.connectAs(HOME6), 'netflix.com')).toBe(Rcode.NOERROR);
      expect(await ask(await stage.connectAs(`2600:9:0:${i}::1`), BOOTSTRAP)).toBe(Rcode.NOERROR);
    }
  });

  it('of many prefixes hold their pool; the one idle longest gives way to the next', async () => {
    const stage = await start({ ...LIMITS, connections: 100, strangerConnections: 40 });
    const held: StreamClient[] = [];
    for (let network = 1; network <= 60; network++) {
      held.push(await stage.connect(`127.1.${network}.1`));
      stage.edge.nowMs++;
    }
    await untilOpen(held, 40);
    expect(held.slice(0, 20).every(({ ended, socket }) => ended || socket.destroyed)).toBe(true);
    expect(await ask(await stage.connect('127.2.1.1'), BOOTSTRAP)).toBe(Rcode.NOERROR);
    await untilOpen(held, 39);
    expect(stage.limited).toBe(21);
  });

  it('give way to homes when all connections are taken', async () => {
    const stage = await start({ ...LIMITS, connections: 40, connectionsPerSource: 40 });
    const strangers: StreamClient[] = [];
    for (let network = 1; network <= 30; network++) strangers.push(await stage.connect(`127.1.${network}.1`));
    const homes: StreamClient[] = [];
    for (let i = 0; i < 40; i++) homes.push(await stage.connect(SERVER));
    await untilOpen(strangers, 0);
    expect(countOpen(homes)).toBe(40);
    for (const home of homes) expect(await ask(home, 'netflix.com')).toBe(Rcode.NOERROR);
  });

  it('are closed after 2 s without a query, homes after idleSeconds', async () => {
    const stage = await start();
    const [stranger, home] = [await stage.connect('127.0.9.1'), await stage.connect(SERVER)];
    while (stage.listener.openConnections < 2) await delay(1);
    stage.edge.nowMs += 2000;
    await stranger.closed;
    expect(await ask(home, 'netflix.com')).toBe(Rcode.NOERROR);
  });

  it('may ask 16 queries a connection', async () => {
    const stage = await start();
    const client = await stage.connect('127.0.9.1');
    client.send(...Array.from({ length: 30 }, (_, id) => query(BOOTSTRAP, 'A', { id })));
    await client.closed;
    expect(client.replies).toHaveLength(16);
  });
});

const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const BLOCK = Buffer.from([192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 1, 187]);
const v2 = (command: number, family: number, body: Uint8Array): Buffer =>
  Buffer.concat([V2, Buffer.from([command, family, 0, body.length]), body]);
const TLV = Buffer.from([4, 0, 1, 9]);

describe('a PROXY header that names no client, from a balancer', () => {
  it.each([
    ['v1 UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['v1 UNKNOWN with addresses', Buffer.from('PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n')],
    ['v2 LOCAL', v2(0x20, 0, Buffer.alloc(0))],
    ['v2 LOCAL with an address block', v2(0x20, 0x11, BLOCK)],
    ['v2 LOCAL with an address block and TLVs', v2(0x20, 0x11, Buffer.concat([BLOCK, TLV]))],
    ['v2 LOCAL with TLVs', v2(0x20, 0, TLV)],
    ['v2 PROXY of an unspecified family', v2(0x21, 0, Buffer.alloc(0))],
  ])('%s: the connection is accepted with the balancer as its source', async (_, header) => {
    const stage = await start();
    const stranger = await stage.connect(BALANCER);
    stranger.socket.write(header);
    expect(await ask(stranger, 'netflix.com')).toBe(Rcode.REFUSED);
    stage.edge.register(BALANCER);
    const home = await stage.connect(BALANCER);
    home.socket.write(header);
    expect(await ask(home, 'netflix.com')).toBe(Rcode.NOERROR);
  });

  it('v2 PROXY with DGRAM is refused: no handshake has proved that address', async () => {
    const stage = await start();
    const client = await stage.connect(BALANCER);
    client.socket.write(v2(0x21, 0x12, BLOCK));
    await client.closed;
  });
});
