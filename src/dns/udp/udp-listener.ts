import { formatSocketAddress, ListenError, type SocketAddress } from '../../net/index.ts';
import { adoptUdpSocket, openUdpSocket, PacketBatch, SystemCallError, sharePort } from '../../sys/index.ts';
import { BATCH_SLOTS, WAIT_MS } from './udp-thread-data.ts';
import { SLOT_BYTES } from './udp-traits.ts';

/** Kernel queue of a socket: about 20 ms of a flood at full rate. */
const RECEIVE_BUFFER_BYTES = 4 << 20;

/** Sockets of one address; thread i has the one at i modulo their number. */
export interface Listener {
  readonly address: SocketAddress;
  readonly packetInfo: boolean;
  readonly fds: number[];
}

/** Collects the replies of one event loop turn and sends them in one system call. */
export class ReplyQueue {
  private readonly batch: PacketBatch;
  private readonly fds: readonly number[];
  private count = 0;
  private isClosed = false;

  /** @param fds sockets of one address: replies from any of them have it as their source */
  constructor(fds: readonly number[], packetInfo: boolean) {
    this.fds = fds;
    this.batch = new PacketBatch(BATCH_SLOTS, SLOT_BYTES, packetInfo);
  }

  add(endpoint: Uint8Array, reply: Uint8Array): void {
    if (this.isClosed) return;
    if (this.count === 0) setImmediate(() => this.flush());
    const slot = this.count++;
    this.batch.writeEndpoint(slot, endpoint, 0);
    this.batch.data[slot].set(reply);
    this.batch.replyLengths[slot] = reply.length;
    if (this.count === this.batch.slots) this.flush();
  }

  flush(): void {
    const { count } = this;
    this.count = 0;
    if (count > 0 && !this.isClosed && this.fds.length > 0) this.batch.send(this.fds[0], count);
  }

  /** Sends what is queued; nothing is sent after that. */
  close(): void {
    this.flush();
    this.isClosed = true;
  }
}

/**
 * Opens the sockets of one address.
 * @throws ListenError, leaving nothing open
 */
export function openListener(address: SocketAddress, workers: number): Listener {
  const { family, bytes } = address.address;
  const packetInfo = bytes.every((byte) => byte === 0);
  const open = (port: number, reusePort: boolean): number =>
    openUdpSocket({
      family,
      address: bytes,
      port,
      reusePort,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      receiveTimeoutMs: WAIT_MS,
      packetInfo,
    });
  try {
    const { port, fds } = sharePort(open, address.port, workers);
    return { address: { address: address.address, port }, packetInfo, fds };
  } catch (error) {
    if (error instanceof SystemCallError) throw new ListenError('dns.udp', address, error.code);
    throw error;
  }
}

/**
 * Groups inherited sockets of one address into listeners of at most one socket a thread.
 * @throws ListenError
 */
export function adoptListeners(addresses: readonly SocketAddress[], workers: number): Listener[] {
  const listeners: Listener[] = [];
  for (const [, sockets] of Map.groupBy(addresses, formatSocketAddress)) {
    const { address, port } = sockets[0]!;
    const packetInfo = address.bytes.every((byte) => byte === 0);
    const fds = sockets.map(({ fd }) => fd!);
    try {
      for (const fd of fds) {
        adoptUdpSocket(fd, { family: address.family, receiveTimeoutMs: WAIT_MS, packetInfo });
      }
    } catch (error) {
      if (error instanceof SystemCallError) throw new ListenError('dns.udp', { address, port }, error.code);
      throw error;
    }
    for (let i = 0; i < fds.length; i += workers) {
      listeners.push({ address: { address, port }, packetInfo, fds: fds.slice(i, i + workers) });
    }
  }
  return listeners;
}
