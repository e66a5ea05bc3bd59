/** One client that takes connections or pipelines calls, and an honest one beside it. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { ControlOptions } from '../../src/control/index.ts';
import { parsePrefix } from '../../src/net/index.ts';
import { ControlBench } from '../support/control.ts';

const ATTACKER = '127.0.6.6';
const HONEST = '127.0.6.1';

let bench: ControlBench;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bench.control.close(0);
});

async function start(options: Partial<ControlOptions> = {}): Promise<number> {
  bench = await ControlBench.make(options);
  const [address] = await bench.control.listen([{ host: '127.0.0.1', port: 0 }]);
  return address!.port;
}

async function open(port: number, localAddress: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Makes one call on a new connection and returns its status. */
async function call(port: number, localAddress: string, key = 'x'): Promise<number> {
  const outgoing = request({
    host: '127.0.0.1',
    port,
    localAddress,
    path: '/v1/account',
    headers: { authorization: `Bearer ${key}` },
    agent: false,
  });
  outgoing.end();
  const [reply] = await once(outgoing, 'response');
  reply.resume();
  return reply.statusCode;
}

const GET_IP = 'GET /v1/ip HTTP/1.1\r\nHost: localhost\r\n\r\n';
const WRONG_KEY = 'GET /v1/account HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ms_wrong\r\n\r\n';

describe('pipelined calls', () => {
  test('of which the replies are not read are not taken by the thousand', async () => {
    const port = await start();
    let asked = 0;
    const { authenticate } = bench.registry;
    bench.registry.authenticate = (secret) => {
      asked += 1;
      return authenticate.call(bench.registry, secret);
    };
    const { secret } = await bench.account();
    const closed: Promise<unknown>[] = [];
    for (let index = 0; index < 6; index += 1) {
      const socket = await open(port, ATTACKER);
      closed.push(new Promise((resolve) => socket.once('close', resolve)));
      socket.pause();
      for (let block = 0; block < 20; block += 1) socket.write(WRONG_KEY.repeat(500));
    }
    expect(await call(port, HONEST, secret)).toBe(200);
    for (const socket of sockets) socket.resume();
    await Promise.all(closed);
    expect(asked).toBeLessThanOrEqual(6 * 64 + 1);
    expect(await call(port, HONEST, secret)).toBe(200);
  });

  test('are read no faster than they are answered', async () => {
    const port = await start();
    const waiting: (() => void)[] = [];
    let asked = 0;
    bench.registry.authenticate = () => {
      asked += 1;
      return new Promise((resolve) => waiting.push(() => resolve(null)));
    };
    const socket = await open(port, ATTACKER);
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    for (let index = 0; index < 40; index += 1) {
      socket.write(WRONG_KEY);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Another client's call shows that the server has had time to read.
    await once((await open(port, HONEST)).end(GET_IP).resume(), 'close');
    expect(asked).toBeGreaterThanOrEqual(8);
    expect(asked).toBeLessThan(40);
    // Each answer lets the next one in.
    while (asked < 40 || waiting.length > 0) {
      waiting.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => received.split('HTTP/1.1 ').length - 1).toBe(40);
  });

  test('of an honest client are all answered, in their order', async () => {
    const port = await start();
    const socket = await open(port, HONEST);
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    socket.write(GET_IP.repeat(30));
    await expect.poll(() => received.split('200 OK').length - 1).toBe(30);
  });
});

describe('connections', () => {
  test('kept by one source do not close the API to others', async () => {
    const port = await start({ connections: { connections: 100, connectionsPerSource: 64 } });
    const { secret } = await bench.account();
    for (let index = 0; index < 200; index += 1) (await open(port, ATTACKER)).resume().write(GET_IP);
    expect(await call(port, HONEST, secret)).toBe(200);
    await expect.poll(() => sockets.filter((socket) => !socket.closed).length).toBe(64);
    // The newest are those that stay.
    expect(sockets.at(-1)!.closed).toBe(false);
  });

  test('of an operator that makes 250 calls at once are all served', async () => {
    const port = await start();
    const { secret } = await bench.account();
    const calls = Array.from({ length: 250 }, () => call(port, HONEST, secret));
    expect((await Promise.all(calls)).filter((status) => status === 200)).toHaveLength(250);
  });

  test('kept by many sources give way, those idle longest first', async () => {
    const port = await start({ connections: { connections: 20, connectionsPerSource: 4 } });
    const { secret } = await bench.account();
    for (let index = 0; index < 40; index += 1) (await open(port, `127.0.7.${index + 1}`)).write(GET_IP);
    for (let index = 0; index < 5; index += 1) expect(await call(port, HONEST, secret)).toBe(200);
    expect(sockets.at(-1)!.closed).toBe(false);
  });

  test('in the middle of a call are not cut off, requests that never end are', async () => {
    const port = await start({ connections: { connections: 10, connectionsPerSource: 4 } });
    let answer = () => {};
    const started = new Promise<void>((isStarted) => {
      bench.registry.authenticate = () => {
        isStarted();
        return new Promise((resolve) => {
          answer = () => resolve(null);
        });
      };
    });
    const slow = call(port, HONEST);
    await started;
    for (let index = 0; index < 30; index += 1) {
      const socket = await open(port, `127.0.7.${index + 1}`);
      socket.write('POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n');
    }
    answer();
    expect(await slow).toBe(401);
  });

  test('of a trusted proxy count for all its clients and stay open', async () => {
    const port = await start({
      trustedProxies: [parsePrefix('127.0.8.1/32')!],
      connections: { connections: 40, connectionsPerSource: 4 },
    });
    const proxied: Socket[] = [];
    for (let index = 0; index < 20; index += 1) {
      const socket = await open(port, '127.0.8.1');
      socket.write(GET_IP);
      await once(socket.resume(), 'data');
      proxied.push(socket);
    }
    for (let index = 0; index < 60; index += 1) (await open(port, `127.0.7.${index + 1}`)).write(GET_IP);
    expect(await call(port, HONEST)).toBe(401);
    expect(proxied.every((socket) => !socket.closed)).toBe(true);
  });
});
