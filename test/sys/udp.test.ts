import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { constants } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/net/index.ts';
import { closeSocket, localPort, peerName, SocketWatch, UdpClients } from '../../src/sys/index.ts';
import { until } from '../support/until.ts';
import { closeAll, Peer } from './support.ts';

const { EAGAIN, ECONNREFUSED } = constants.errno;
const clients = new UdpClients();
const opened: number[] = [];

afterEach(() => {
  for (const fd of opened.splice(0)) closeSocket(fd);
  closeAll();
});

function open(address: string, port: number): number {
  const { family, bytes } = parseAddress(address)!;
  const fd = clients.open(family, peerName({ family, address: bytes, port, scopeId: 0 }));
  expect(fd).toBeGreaterThan(0);
  opened.push(fd);
  return fd;
}

function send(fd: number, text: string): number {
  clients.outgoing.set(Buffer.from(text));
  return clients.send(fd, text.length);
}

function receive(fd: number): string | number {
  const length = clients.receive(fd);
  return length < 0 ? length : Buffer.from(clients.incoming.subarray(0, length)).toString();
}

async function closedPort(): Promise<number> {
  const gone = createSocket('udp4').bind(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address();
  gone.close();
  await once(gone, 'close');
  return port;
}

describe('a UDP client socket', () => {
  it.each(['127.0.0.1', '::1'])('sends to its peer at %s and receives from it', async (address) => {
    const peer = await Peer.on(address);
    const fd = open(address, peer.port);
    expect(send(fd, 'question')).toBe(8);
    const [{ text, port }] = await peer.got(1);
    expect([text, port]).toEqual(['question', localPort(fd)]);
    expect(receive(fd)).toBe(-EAGAIN);
    await peer.send('answer', port, address);
    expect(receive(fd)).toBe('answer');
  });

  it('hears nothing from anyone else', async () => {
    const [peer, other] = [await Peer.on('127.0.0.1'), await Peer.on('127.0.0.1')];
    const fd = open('127.0.0.1', peer.port);
    await other.send('forged', localPort(fd), '127.0.0.1');
    expect(receive(fd)).toBe(-EAGAIN);
  });

  it('is told that nobody listens there', async () => {
    const fd = open('127.0.0.1', await closedPort());
    send(fd, 'question');
    await until(() => receive(fd) === -ECONNREFUSED, 'the ICMP error came');
  });
});

describe('a watch', () => {
  it('tells of each socket that has something, again as long as it has, and of none that is closed', async () => {
    const peer = await Peer.on('127.0.0.1');
    const heard: [number, string | number][] = [];
    const fds = [0, 1, 2].map(() => open('127.0.0.1', peer.port));
    const watch = new SocketWatch(
      (number) => heard.push([number, receive(fds[number]!)]),
      (error) => {
        throw error;
      },
    );
    for (const [number, fd] of fds.entries()) watch.add(fd, number);
    closeSocket(opened.pop()!);
    for (const [number, fd] of fds.slice(0, 2).entries()) {
      for (const text of ['first', 'second'])
        await peer.send(`${text} ${number}`, localPort(fd), '127.0.0.1');
    }
    await until(() => heard.length >= 4, 'all four were heard');
    expect(heard.filter(([number]) => number === 0)).toEqual([
      [0, 'first 0'],
      [0, 'second 0'],
    ]);
    expect(heard.filter(([number]) => number === 1).length).toBe(2);
    await peer.send('third', localPort(fds[1]!), '127.0.0.1');
    await until(() => heard.length === 5, 'the fifth was heard');
    await watch.close();
    await watch.close();
    await peer.send('fourth', localPort(fds[1]!), '127.0.0.1');
    expect(receive(fds[1]!)).toBe('fourth');
    expect(heard.length).toBe(5);
  });
});
