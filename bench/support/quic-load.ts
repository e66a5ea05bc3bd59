import { createCipheriv } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { initialKeys } from '../../src/relay/quic/initial-keys.ts';
import { closeSocket, connectUdp, ENDPOINT_BYTES, openUdpSocket, PacketBatch } from '../../src/sys/index.ts';
import { NAME } from './relay-load.ts';

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BATCH = 32;
const BUFFER_BYTES = 4 << 20;
const PATIENCE_MS = 50;
const BEGIN_MS = 2000;

/** Bytes of each datagram of the origin, as QUIC's are on most paths. */
export const DATAGRAM_BYTES = 1250;

interface Connection {
  readonly fd: number;
  /** Where the origin's datagrams go: the relay's socket for this connection. */
  readonly endpoint: Uint8Array;
}

/** Clients and the origin behind a relay, which speak no QUIC but for the datagram that a connection begins with. */
export class QuicLoad {
  private readonly origin: number;
  private readonly down = new PacketBatch(BATCH, DATAGRAM_BYTES, true);
  private readonly up = new PacketBatch(BATCH, 2048, false);
  private connections: Connection[] = [];
  private made = 0;

  constructor(originPort: number) {
    this.origin = openUdpSocket({
      family: 4,
      address: LOOPBACK,
      port: originPort,
      reusePort: false,
      receiveBufferBytes: BUFFER_BYTES,
      receiveTimeoutMs: 100,
      packetInfo: true,
    });
    for (const datagram of this.down.data) datagram[0] = 0x41;
  }

  /** Opens connections through the relay. */
  async open(port: number, count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.connections.push(await this.connect(port));
  }

  /** Carries datagrams to the clients, with one of theirs for each 16. @returns how many came */
  carry(datagrams: number): number {
    const { connections, down, up, origin } = this;
    let came = 0;
    for (let sent = 0; sent < datagrams; sent += BATCH * connections.length) {
      for (const { endpoint } of connections) {
        down.lengths.fill(DATAGRAM_BYTES);
        down.forwardTo(origin, BATCH, endpoint);
      }
      for (const { fd } of connections) came += this.take(fd);
    }
    while (up.receive(origin, false) > 0);
    return came;
  }

  close(): void {
    for (const { fd } of this.connections) closeSocket(fd);
    this.connections = [];
  }

  stop(): void {
    this.close();
    closeSocket(this.origin);
  }

  private take(fd: number): number {
    const { up } = this;
    const giveUpAt = performance.now() + PATIENCE_MS;
    let got = 0;
    while (got < BATCH && performance.now() < giveUpAt) got += up.receive(fd, false);
    up.data[0][0] = 0x41;
    up.lengths.fill(40, 0, 2);
    up.forward(fd, 0, 2);
    return got;
  }

  private async connect(port: number): Promise<Connection> {
    const fd = connectUdp({
      family: 4,
      address: LOOPBACK,
      port,
      from: null,
      receiveBufferBytes: BUFFER_BYTES,
    });
    const { up, down, origin } = this;
    while (up.receive(origin, false) > 0);
    const initial = initialFor(this.made++);
    up.data[0].set(initial);
    up.lengths[0] = initial.length;
    up.forward(fd, 0, 1);
    const giveUpAt = performance.now() + BEGIN_MS;
    while (down.receive(origin, false) === 0) {
      if (performance.now() > giveUpAt) throw new Error('a connection did not reach the origin');
      // This process answers the relay's questions about the origin, too.
      await nextTurn();
    }
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    down.readEndpoint(0, endpoint, 0);
    // A Handshake packet without connection ids: connections are told apart by their clients' addresses.
    down.data[0].set(Buffer.from('e000000001000001', 'hex'));
    down.lengths[0] = 8;
    down.forwardTo(origin, 1, endpoint);
    while (up.receive(fd, false) === 0) {
      if (performance.now() > giveUpAt) throw new Error('an answer did not reach the client');
    }
    for (const datagram of down.data) datagram[0] = 0x41;
    return { fd, endpoint };
  }
}

/** The Initial of a connection of its own for NAME (RFC 9001, 5). */
function initialFor(nth: number): Buffer {
  const u16 = (value: number) => [value >> 8, value & 255];
  const name = Buffer.from(NAME);
  const list = [0, ...u16(name.length), ...name];
  const extension = [0, 0, ...u16(list.length + 2), ...u16(list.length), ...list];
  const body = [
    ...[3, 3, ...Buffer.alloc(32, 5), 0],
    ...[0, 2, 0x13, 1, 1, 0, ...u16(extension.length), ...extension],
  ];
  const message = [1, 0, ...u16(body.length), ...body];
  const id = Buffer.alloc(8);
  id.writeUInt32BE(nth + 1, 4);
  const payload = Buffer.alloc(1162);
  payload.set([6, 0, 0x40 | (message.length >> 8), message.length & 255, ...message]);
  const header = Buffer.from([
    0xc3,
    0,
    0,
    0,
    1,
    8,
    ...id,
    0,
    0,
    ...u16(0x4000 | (4 + 1162 + 16)),
    0,
    0,
    0,
    0,
  ]);
  const { key, iv, hp } = initialKeys(1, id, 'client');
  const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(header);
  const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
  const mask = createCipheriv('aes-128-ecb', hp, null).update(sealed.subarray(0, 16));
  header[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < 4; i++) header[header.length - 4 + i]! ^= mask[1 + i]!;
  return Buffer.concat([header, sealed]);
}
