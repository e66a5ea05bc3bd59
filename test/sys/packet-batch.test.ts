import { afterEach, describe, expect, it } from 'vitest';
import { parseAddress, readWord } from '../../src/net/index.ts';
import { closeSocket, connectUdp, ENDPOINT_BYTES, localPort, PacketBatch } from '../../src/sys/index.ts';
import { closeAll, open, Peer } from './support.ts';

afterEach(closeAll);

const text = (batch: PacketBatch, i: number): string =>
  Buffer.from(batch.data[i].subarray(0, batch.lengths[i])).toString('latin1');

/** Writes an answer into a slot. */
function put(batch: PacketBatch, i: number, answer: string): void {
  batch.data[i].set(Buffer.from(answer, 'latin1'));
  batch.replyLengths[i] = answer.length;
}

/** A loopback address other than the peer's, if the family has one. */
const LOOPBACKS: readonly (readonly [family: 4 | 6, server: string, client: string])[] = [
  [4, '127.0.0.11', '127.0.0.12'],
  [6, '::1', '::1'],
];

describe.each(LOOPBACKS)('a batch over IPv%i', (family, server, client) => {
  it('takes the packets that are there, and tells where each came from', async () => {
    const fd = open(server);
    const batch = new PacketBatch(8, 512, false);
    const first = await Peer.on(client);
    const second = await Peer.on(client);
    await first.send('one', localPort(fd), server);
    await second.send('two', localPort(fd), server);
    await first.send('', localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(3);
    expect([0, 1, 2].map((i) => text(batch, i))).toEqual(['one', 'two', '']);
    expect([...batch.ports.subarray(0, 3)]).toEqual([first.port, second.port, first.port]);
    expect([...batch.families.subarray(0, 3)]).toEqual([family, family, family]);
    const { bytes } = parseAddress(client)!;
    const words = family === 4 ? [readWord(bytes, 0)] : [0, 4, 8, 12].map((at) => readWord(bytes, at));
    expect([...batch.addresses.subarray(4, 4 + words.length)]).toEqual(words);
    expect(batch.receive(fd, false)).toBe(0);
  });

  it('keeps nothing of its packets once it is cleared, and works on', async () => {
    const fd = open(server, { packetInfo: true });
    const batch = new PacketBatch(4, 512, true);
    const peer = await Peer.on(client);
    for (const name of ['a secret name', 'another']) await peer.send(name, localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(2);
    batch.clear();
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    for (const i of [0, 1]) {
      batch.readEndpoint(i, endpoint, 0);
      // The family says nothing about a home.
      expect(endpoint.subarray(0, -8).every((byte) => byte === 0)).toBe(true);
      expect(batch.data[i].every((byte) => byte === 0)).toBe(true);
    }
    expect(batch.addresses.every((word) => word === 0)).toBe(true);
    await peer.send('next', localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(1);
    put(batch, 0, 'answer');
    expect(batch.send(fd, 1)).toBe(1);
    expect((await peer.got(1))[0].text).toBe('answer');
  });

  it('answers each from its slot, and leaves out those that get none', async () => {
    const fd = open(server);
    const batch = new PacketBatch(8, 512, false);
    const peers = [await Peer.on(client), await Peer.on(client), await Peer.on(client)];
    for (const peer of peers) await peer.send(`from ${peer.port}`, localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(3);
    put(batch, 0, 'answer 0');
    batch.replyLengths[1] = 0;
    put(batch, 2, 'the longer answer 2');
    expect(batch.send(fd, 3)).toBe(2);
    const port = localPort(fd);
    expect(await peers[0].got(1)).toEqual([{ text: 'answer 0', address: server, port }]);
    expect(await peers[2].got(1)).toEqual([{ text: 'the longer answer 2', address: server, port }]);
    expect(peers[1].received).toEqual([]);
    expect(batch.failedSends).toBe(0);
  });

  it('is filled again and again: lengths and sources of before do not stay', async () => {
    const fd = open(server);
    const batch = new PacketBatch(2, 512, true);
    const peer = await Peer.on(client);
    for (const sent of ['a'.repeat(400), 'b', 'c'.repeat(50)]) {
      await peer.send(sent, localPort(fd), server);
      expect(batch.receive(fd, true)).toBe(1);
      expect(text(batch, 0)).toBe(sent);
    }
  });

  it('takes no more than it has slots, and the rest with the next call', async () => {
    const fd = open(server);
    const batch = new PacketBatch(2, 64, false);
    const peer = await Peer.on(client);
    for (const sent of ['1', '2', '3']) await peer.send(sent, localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(2);
    expect(batch.receive(fd, true)).toBe(1);
    expect(text(batch, 0)).toBe('3');
  });

  it('cuts a packet that is longer than a slot, and touches no other slot', async () => {
    const fd = open(server);
    const batch = new PacketBatch(2, 64, false);
    const peer = await Peer.on(client);
    batch.data[1].fill(0x7a);
    await peer.send('x'.repeat(500), localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(1);
    expect(batch.lengths[0]).toBe(64);
    expect(text(batch, 0)).toBe('x'.repeat(64));
    expect(batch.data[1].every((byte) => byte === 0x7a)).toBe(true);
  });

  it('lets another batch answer, from where the packet was sent to', async () => {
    const fd = open(family === 4 ? '0.0.0.0' : '::', { packetInfo: true });
    const batch = new PacketBatch(4, 512, true);
    const peer = await Peer.on(client);
    await peer.send('ask', localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(1);
    const endpoint = new Uint8Array(ENDPOINT_BYTES + 3);
    batch.readEndpoint(0, endpoint, 3);
    const other = new PacketBatch(4, 512, true);
    other.writeEndpoint(2, endpoint, 3);
    put(other, 2, 'later');
    expect(other.send(fd, 4)).toBe(1);
    expect(await peer.got(1)).toEqual([{ text: 'later', address: server, port: localPort(fd) }]);
  });

  it('sends packets that answer none, to where each slot says', async () => {
    const fd = open(family === 4 ? '0.0.0.0' : '::', { packetInfo: true });
    const batch = new PacketBatch(3, 512, true);
    const peers = [await Peer.on(client), await Peer.on(client)];
    for (const [i, peer] of peers.entries()) {
      batch.setDestination(i, family, parseAddress(client)!.bytes, peer.port);
      batch.setSource(i, parseAddress(server)!.bytes, 0);
      put(batch, i, `query ${i}`);
    }
    expect(batch.send(fd, 3)).toBe(2);
    const port = localPort(fd);
    for (const [i, peer] of peers.entries()) {
      expect(await peer.got(1)).toEqual([{ text: `query ${i}`, address: server, port }]);
    }
    await peers[0].send('answer', port, server);
    const received = new PacketBatch(3, 512, true);
    expect(received.receive(fd, true)).toBe(1);
    expect(received.wasSentTo(0, parseAddress(server)!.bytes, 0)).toBe(true);
    expect(received.wasSentTo(0, parseAddress(family === 4 ? '127.0.0.99' : '::2')!.bytes, 0)).toBe(false);
  });

  it('forwards packets to the peer of a connected socket, and its packets to one client', async () => {
    const fd = open(family === 4 ? '0.0.0.0' : '::', { packetInfo: true });
    const [peer, origin] = [await Peer.on(client), await Peer.on(server)];
    const address = parseAddress(server)!.bytes;
    const connected = connectUdp({
      family,
      address,
      port: origin.port,
      from: parseAddress(client)!.bytes,
      receiveBufferBytes: 1 << 20,
    });
    const batch = new PacketBatch(4, 512, true);
    for (const sent of ['left out', 'one', 'another']) await peer.send(sent, localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(3);
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    batch.readEndpoint(0, endpoint, 0);
    expect(batch.forward(connected, 1, 2)).toBe(2);
    const port = localPort(connected);
    expect((await origin.got(2)).map(({ text: sent, port: from }) => [sent, from])).toEqual([
      ['one', port],
      ['another', port],
    ]);
    for (const sent of ['back', 'left out', 'and more']) await origin.send(sent, port, client);
    await peer.send('of somebody else', port, client);
    expect(batch.receive(connected, false, 3)).toBe(3);
    expect(batch.receive(connected, false)).toBe(0);
    expect(batch.families[0]).toBe(family);
    batch.lengths[1] = 0;
    expect(batch.forwardTo(fd, 3, endpoint)).toBe(2);
    const from = { address: server, port: localPort(fd) };
    expect(await peer.got(2)).toEqual([
      { text: 'back', ...from },
      { text: 'and more', ...from },
    ]);
    closeSocket(connected);
  });

  it('gives up what the system refuses to send, and sends the rest', async () => {
    const fd = open(server);
    const batch = new PacketBatch(4, 65_536, false);
    const peer = await Peer.on(client);
    for (const sent of ['1', '2', '3', '4']) await peer.send(sent, localPort(fd), server);
    expect(batch.receive(fd, true)).toBe(4);
    put(batch, 0, 'first');
    // Longer than a datagram can be: EMSGSIZE.
    batch.replyLengths[1] = 65_536;
    put(batch, 2, 'third');
    batch.replyLengths[3] = 65_536;
    expect(batch.send(fd, 4)).toBe(2);
    expect(batch.failedSends).toBe(2);
    expect((await peer.got(2)).map((packet) => packet.text)).toEqual(['first', 'third']);
  });
});

it('a socket on every IPv4 address answers from the one that was asked', async () => {
  const fd = open('0.0.0.0', { packetInfo: true });
  const batch = new PacketBatch(4, 512, true);
  const peer = await Peer.on('127.0.0.21');
  const asked = ['127.0.0.31', '127.0.0.32', '127.0.0.1'];
  for (const address of asked) await peer.send('ask', localPort(fd), address);
  expect(batch.receive(fd, true)).toBe(3);
  for (let i = 0; i < 3; i++) put(batch, i, `${i}`);
  expect(batch.send(fd, 3)).toBe(3);
  expect((await peer.got(3)).map(({ address, text: sent }) => [sent, address])).toEqual([
    ['0', asked[0]],
    ['1', asked[1]],
    ['2', asked[2]],
  ]);
});

it('one socket sends from any address of loopback, and from the one that the system chooses', async () => {
  const fd = open('0.0.0.0', { packetInfo: true });
  const batch = new PacketBatch(4, 512, true);
  const peer = await Peer.on('127.0.0.21');
  const sources = ['127.0.1.0', '127.200.3.255', '127.255.255.254'];
  const addresses = Buffer.concat(sources.map((source) => parseAddress(source)!.bytes));
  for (let i = 0; i < 4; i++) {
    batch.setDestination(i, 4, parseAddress('127.0.0.21')!.bytes, peer.port);
    if (i < 3) batch.setSource(i, addresses, i * 4);
    put(batch, i, `${i}`);
  }
  expect(batch.send(fd, 4)).toBe(4);
  const received = await peer.got(4);
  expect(received.map(({ address }) => address)).toEqual([...sources, '127.0.0.1']);
});

it('a packet from an address that is not the machine’s is given up and counted', async () => {
  const fd = open('0.0.0.0', { packetInfo: true });
  const batch = new PacketBatch(1, 512, true);
  const peer = await Peer.on('127.0.0.21');
  batch.setDestination(0, 4, parseAddress('127.0.0.21')!.bytes, peer.port);
  batch.setSource(0, parseAddress('192.0.2.1')!.bytes, 0);
  put(batch, 0, 'x');
  expect(batch.send(fd, 1)).toBe(0);
  expect(batch.failedSends).toBe(1);
});

it('a batch of the size that listeners use holds its slots apart', async () => {
  const fd = open('127.0.0.1', { receiveBufferBytes: 4 << 20 });
  const batch = new PacketBatch(64, 2048, false);
  const peer = await Peer.on('127.0.0.1');
  for (let i = 0; i < 64; i++) await peer.send(`${i}`.repeat(100), localPort(fd), '127.0.0.1');
  expect(batch.receive(fd, true)).toBe(64);
  for (let i = 0; i < 64; i++) {
    expect(text(batch, i)).toBe(`${i}`.repeat(100));
    put(batch, i, `answer ${i}`);
  }
  expect(batch.send(fd, 64)).toBe(64);
  expect((await peer.got(64)).map((packet) => packet.text)).toEqual(
    Array.from({ length: 64 }, (_, i) => `answer ${i}`),
  );
});
