import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/net/index.ts';
import {
  closeSocket,
  connectError,
  connectUdp,
  isBindError,
  localPort,
  PacketBatch,
  receiveBufferBytes,
  SystemCallError,
} from '../../src/sys/index.ts';
import { libc } from '../../src/sys/libc.ts';
import { closeAll, open, Peer } from './support.ts';

afterEach(closeAll);

/** Reads an integer socket option (include/uapi/linux/in.h, in6.h). */
function option(fd: number, level: number, name: number): number {
  const value = new Uint8Array(4);
  if (libc()!.getsockopt(fd, level, name, value, Uint32Array.of(4)) !== 0) throw new Error('getsockopt');
  return new DataView(value.buffer).getInt32(0, true);
}

function failure(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('a UDP socket', () => {
  it.each(['127.0.0.1', '::1'])('on %s has a port of its own, which it tells', async (address) => {
    const fd = open(address);
    const peer = await Peer.on(address);
    expect(localPort(fd)).toBeGreaterThan(0);
    await peer.send('here', localPort(fd), address);
    expect(new PacketBatch(1, 100, false).receive(fd, true)).toBe(1);
  });

  it('on an address and port that are taken says EADDRINUSE, and that it was bind', () => {
    const port = localPort(open('127.0.0.1'));
    const error = failure(() => open('127.0.0.1', { port }));
    expect(error).toBeInstanceOf(SystemCallError);
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' });
    expect(isBindError(error)).toBe(true);
  });

  it('on an address that the machine does not have says EADDRNOTAVAIL', () => {
    expect(failure(() => open('203.0.113.5'))).toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it('that cannot be opened leaves no descriptor behind', () => {
    const port = localPort(open('127.0.0.1'));
    const first = open('127.0.0.1');
    for (let i = 0; i < 20; i++) failure(() => open('127.0.0.1', { port }));
    expect(open('127.0.0.1')).toBe(first + 1);
  });

  it('shares its port with others only where all ask for it', () => {
    const port = localPort(open('127.0.0.1', { reusePort: true }));
    expect(localPort(open('127.0.0.1', { port, reusePort: true }))).toBe(port);
    expect(failure(() => open('127.0.0.1', { port }))).toMatchObject({ code: 'EADDRINUSE' });
  });

  it('on IPv6 leaves the port of IPv4 alone', () => {
    const port = localPort(open('::'));
    expect(localPort(open('0.0.0.0', { port }))).toBe(port);
  });

  it('has the receive buffer that was asked for, as far as the system gives it', () => {
    const allowed = Number(readFileSync('/proc/sys/net/core/rmem_max', 'utf8'));
    const fd = open('127.0.0.1', { receiveBufferBytes: 300_000 });
    expect(receiveBufferBytes(fd)).toBeGreaterThanOrEqual(2 * Math.min(300_000, allowed));
  });

  it('sets DF and believes no forged path MTU: IP_MTU_DISCOVER is IP_PMTUDISC_PROBE', () => {
    expect(option(open('127.0.0.1'), 0, 10)).toBe(3);
    expect(option(open('::1'), 41, 23)).toBe(3);
  });

  it('returns from a wait without packets after its receive timeout', () => {
    const fd = open('127.0.0.1', { receiveTimeoutMs: 30 });
    expect(new PacketBatch(4, 100, false).receive(fd, true)).toBe(0);
  });

  it('is not inherited by child processes', () => {
    const flags = readFileSync(`/proc/self/fdinfo/${open('127.0.0.1')}`, 'utf8');
    expect(Number.parseInt(/flags:\s*(\d+)/.exec(flags)![1], 8) & 0o2000000).not.toBe(0);
  });
});

describe('a connected UDP socket', () => {
  const ends = { family: 4 as const, port: 9, receiveBufferBytes: 65_536 };
  const bytes = (text: string) => parseAddress(text)!.bytes;

  it('comes from the address that it is told', async () => {
    const peer = await Peer.on('127.0.0.1');
    const [address, from] = [bytes('127.0.0.1'), bytes('127.0.0.44')];
    const fd = connectUdp({ ...ends, address, port: peer.port, from });
    const batch = new PacketBatch(1, 100, false);
    batch.data[0].set(Buffer.from('hi'));
    batch.lengths[0] = 2;
    expect(batch.forward(fd, 0, 1)).toBe(1);
    expect(await peer.got(1)).toEqual([{ text: 'hi', address: '127.0.0.44', port: localPort(fd) }]);
    expect([option(fd, 0, 10)]).toEqual([3]);
    closeSocket(fd);
  });

  it('that cannot be opened leaves no descriptor behind, and says why', () => {
    const first = open('127.0.0.1');
    for (let i = 0; i < 20; i++) {
      const fd = connectUdp({ ...ends, address: bytes('127.0.0.1'), from: bytes('203.0.113.5') });
      expect(fd).toBe(-constants.errno.EADDRNOTAVAIL);
    }
    expect(open('127.0.0.1')).toBe(first + 1);
  });

  it('hears by ICMP that nobody is there', () => {
    const port = localPort(open('127.0.0.1'));
    closeAll();
    const fd = connectUdp({ ...ends, address: bytes('127.0.0.1'), port, from: null });
    const batch = new PacketBatch(1, 100, false);
    batch.lengths[0] = 1;
    expect(batch.forward(fd, 0, 1)).toBe(1);
    expect(connectError(fd)).toBe(constants.errno.ECONNREFUSED);
    closeSocket(fd);
  });
});

it('other errors are not bind errors', () => {
  expect(isBindError(new SystemCallError('socket', 24))).toBe(false);
  expect(isBindError(new Error('EADDRINUSE'))).toBe(false);
  expect(new SystemCallError('socket', 24).message).toBe('socket failed: EMFILE');
});
