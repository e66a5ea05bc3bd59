/** One client that floods the API of a process with control and edge, and honest clients of both beside it (M2). */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { askUdp } from '../support/dns-client.ts';
import { answer, FakeUpstream } from '../support/fake-upstream.ts';
import { RunningService } from '../support/service.ts';

const HOME = '127.0.0.1';
const ATTACKER = '127.0.9.9';
const HONEST = '127.0.9.1';
const WRONG_KEY = 'GET /v1/account HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ms_wrong\r\n\r\n';
const GET_IP = 'GET /v1/ip HTTP/1.1\r\nHost: localhost\r\n\r\n';

let upstream: FakeUpstream;
let service: RunningService;
let names = 0;
beforeAll(async () => {
  upstream = await FakeUpstream.start();
  upstream.udp = (query, replier) =>
    answer({ answers: [{ type: 'A', name: query.name, ttl: 1, data: '203.0.113.77' }] })(query, replier);
  service = await RunningService.start({ config: { upstreams: [upstream.url] } });
  await service.household([HOME]);
});
afterAll(() => upstream.stop());

function open(localAddress: string): Socket {
  const { hostname, port } = new URL(service.controlUrl);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** Asks for a name that no cache knows. */
async function freshName(): Promise<string> {
  names += 1;
  return (await askUdp(service.udp, HOME, { name: `n${names}.example` })).rcode;
}

async function callOnce(): Promise<number> {
  const outgoing = request(`${service.controlUrl}/v1/ip`, { localAddress: HONEST, agent: false });
  outgoing.end();
  const [reply] = await once(outgoing, 'response');
  reply.resume();
  return reply.statusCode;
}

function residentMiB(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.child.pid}/status`, 'utf8'))![1]) / 1024;
}

test('360,000 pipelined calls whose replies nobody reads cost little memory and no DNS answer', async () => {
  expect(await freshName()).toBe('NOERROR');
  const before = residentMiB();
  const sockets = Array.from({ length: 6 }, () => open(ATTACKER).pause());
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const block = WRONG_KEY.repeat(500);
  for (const socket of sockets) {
    for (let index = 0; index < 120 && !socket.destroyed; index += 1) socket.write(block);
  }
  for (let round = 0; round < 4; round += 1) {
    expect(await Promise.all(Array.from({ length: 4 }, freshName))).toEqual(Array(4).fill('NOERROR'));
    expect(await callOnce()).toBe(200);
  }
  // Before the limits: 430 MiB.
  expect(residentMiB() - before).toBeLessThan(150);
});

test('4,200 kept connections of one client do not close the API to others', async () => {
  for (let index = 0; index < 4200; index += 1) {
    const socket = open(ATTACKER).resume();
    socket.on('connect', () => socket.write(GET_IP));
    if (index % 200 === 199) await once(socket, 'connect').catch(() => {});
  }
  for (let index = 0; index < 5; index += 1) expect(await callOnce()).toBe(200);
  expect(await freshName()).toBe('NOERROR');
});
