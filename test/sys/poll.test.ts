import { afterEach, describe, expect, it } from 'vitest';
import { localPort, PacketBatch, Poller } from '../../src/sys/index.ts';
import { closeAll, open, Peer } from './support.ts';

afterEach(closeAll);

describe('waiting on several sockets', () => {
  it('ends when one has a packet, and says which', async () => {
    const fds = [open('127.0.0.1'), open('::1'), open('127.0.0.2')];
    const poller = new Poller(fds);
    const peer = await Peer.on('127.0.0.1');
    expect(poller.wait(0)).toBe(0);
    expect(fds.map((_, i) => poller.isReady(i))).toEqual([false, false, false]);
    await peer.send('x', localPort(fds[2]), '127.0.0.2');
    expect(poller.wait(2000)).toBe(1);
    expect(fds.map((_, i) => poller.isReady(i))).toEqual([false, false, true]);
    await peer.send('y', localPort(fds[0]), '127.0.0.1');
    expect(poller.wait(2000)).toBe(2);
    expect(fds.map((_, i) => poller.isReady(i))).toEqual([true, false, true]);
    expect(new PacketBatch(1, 64, false).receive(fds[2], false)).toBe(1);
    expect(poller.wait(2000)).toBe(1);
    expect(fds.map((_, i) => poller.isReady(i))).toEqual([true, false, false]);
  });
});
