import { constants } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import {
  clearEvent,
  closeSocket,
  connectError,
  connectTcp,
  Epoll,
  EpollEvent,
  listenTcp,
  localPort,
  Memory,
  openEvent,
  resetOnClose,
  sendAtOnce,
  shutdownWrite,
  signalEvent,
  TcpAcceptor,
  TcpTransfer,
} from '../../src/sys/index.ts';

const LOOPBACK = { family: 4, bytes: Uint8Array.of(127, 0, 0, 1) } as const;
const HOME = { family: 4, bytes: Uint8Array.of(127, 0, 0, 9) } as const;
const LOOPBACK6 = { family: 6, bytes: Uint8Array.from([...new Array(15).fill(0), 1]) } as const;
const { EAGAIN, ECONNRESET, ECONNREFUSED } = constants.errno;

const open: number[] = [];
const kept = (fd: number): number => {
  open.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of open.splice(0)) closeSocket(fd);
});

/** Waits for a descriptor's events. */
function eventsOf(fd: number, events: number): number {
  const epoll = new Epoll(4);
  epoll.add(fd, events, 7);
  const count = epoll.wait(2000);
  const seen = count === 1 && epoll.dataAt(0) === 7 ? epoll.eventsAt(0) : 0;
  epoll.close();
  return seen;
}

describe.each([
  ['IPv4', LOOPBACK, HOME],
  ['IPv6', LOOPBACK6, LOOPBACK6],
] as const)('TCP over %s', (_, address, from) => {
  function pair(): { client: number; server: number; acceptor: TcpAcceptor } {
    const listener = kept(listenTcp(address, 0, 16, true));
    const acceptor = new TcpAcceptor();
    expect(acceptor.accept(listener)).toBe(-EAGAIN);
    const client = kept(connectTcp(address, localPort(listener), from));
    expect(eventsOf(listener, EpollEvent.IN)).toBe(EpollEvent.IN);
    const server = kept(acceptor.accept(listener));
    expect(eventsOf(client, EpollEvent.OUT)).toBe(EpollEvent.OUT);
    expect(connectError(client)).toBe(0);
    return { client, server, acceptor };
  }

  it('connects from the address it is told to, and carries bytes and an end', () => {
    const { client, server, acceptor } = pair();
    expect(acceptor.family).toBe(address.family);
    const words = Buffer.alloc(16);
    acceptor.words().forEach((word, i) => {
      words.writeUInt32BE(word, 4 * i);
    });
    expect([...words.subarray(0, from.bytes.length)]).toEqual([...from.bytes]);
    expect(acceptor.port).toBe(localPort(client));
    const transfer = new TcpTransfer();
    const memory = new Memory(64);
    memory.bytes.set([1, 2, 3]);
    sendAtOnce(client);
    expect(transfer.receive(server, memory.address, 64)).toBe(-EAGAIN);
    expect(transfer.send(client, memory.address, 3)).toBe(3);
    expect(eventsOf(server, EpollEvent.IN)).toBe(EpollEvent.IN);
    expect(transfer.receive(server, memory.address + 8, 56)).toBe(3);
    expect([...memory.bytes.subarray(8, 11)]).toEqual([1, 2, 3]);
    shutdownWrite(client);
    expect(eventsOf(server, EpollEvent.IN | EpollEvent.RDHUP) & EpollEvent.RDHUP).toBe(EpollEvent.RDHUP);
    expect(transfer.receive(server, memory.address, 64)).toBe(0);
  });

  it('tells of a reset, and of a connection that nobody takes', () => {
    const { client, server } = pair();
    resetOnClose(server);
    closeSocket(open.splice(open.indexOf(server), 1)[0]!);
    expect(eventsOf(client, EpollEvent.IN) & EpollEvent.ERR).toBe(EpollEvent.ERR);
    expect(new TcpTransfer().receive(client, new Memory(8).address, 8)).toBe(-ECONNRESET);
    const listener = listenTcp(address, 0, 1, false);
    const port = localPort(listener);
    closeSocket(listener);
    const refused = connectTcp(address, port, null);
    if (refused < 0) expect(refused).toBe(-ECONNREFUSED);
    else {
      eventsOf(kept(refused), EpollEvent.OUT);
      expect(connectError(refused)).toBe(ECONNREFUSED);
    }
  });

  it('says when an address is in use', () => {
    const listener = kept(listenTcp(address, 0, 1, false));
    expect(() => listenTcp(address, localPort(listener), 1, false)).toThrow(/EADDRINUSE/);
  });
});

describe('an event', () => {
  it('wakes who waits for it, until it is cleared', () => {
    const event = kept(openEvent());
    signalEvent(event);
    signalEvent(event);
    expect(eventsOf(event, EpollEvent.IN)).toBe(EpollEvent.IN);
    clearEvent(event);
    const epoll = new Epoll(1);
    epoll.add(event, EpollEvent.IN, 0);
    expect(epoll.wait(0)).toBe(0);
    epoll.close();
  });
});
