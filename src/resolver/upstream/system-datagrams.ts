import { constants } from 'node:os';
import { closeSocket, libc, SocketWatch, SystemCallError, UdpClients } from '../../sys/index.ts';
import type { RandomSource } from '../random.ts';
import type { DatagramPool, DatagramPools, DatagramRemote } from './datagram-pool.ts';
import { type DatagramSocket, type DatagramSocketOwner, OpenFailure } from './datagram-socket.ts';
import { upstreamPeerName } from './peer-name.ts';
import { type DatagramPoolLimits, RandomPortPool } from './random-port-pool.ts';

/** Opening and closing one of these costs about 8 us. */
const DEFAULT_LIMITS: DatagramPoolLimits = Object.freeze({
  ownSocketsPerSecond: 2000,
  sharedSockets: 256,
  queriesPerSharedSocket: 256,
  inFlightPerSocket: 64,
  sockets: 1024,
  idleMs: 10_000,
  reservedSockets: 4,
});

/** Socket numbers wrap around here, long after the socket of a number was closed. */
const NUMBERS = 0x40000000;

const { EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM } = constants.errno;
const isPassing = (errno: number): boolean =>
  errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM;

const isShortage = (errno: number): boolean =>
  errno === EMFILE || errno === ENFILE || errno === ENOBUFS || errno === ENOMEM;

/** True if this platform has the system calls. */
export function hasSystemDatagrams(): boolean {
  return libc() !== null;
}

/** Pools of sockets opened by sys/, at about a tenth of node:dgram's cost. One thread watches all of them. */
export class SystemDatagrams implements DatagramPools {
  private readonly clients = new UdpClients();
  private readonly sockets = new Map<number, SystemDatagramSocket>();
  private readonly watch: SocketWatch;
  private readonly limits: DatagramPoolLimits;
  private nextNumber = 0;

  /** @param onFailure called when no more replies will be read */
  constructor(onFailure: (error: Error) => void, limits: Partial<DatagramPoolLimits> = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.watch = new SocketWatch((number) => this.sockets.get(number)?.read(), onFailure);
  }

  createPool(remote: DatagramRemote, random: RandomSource, now: () => number): DatagramPool {
    const name = upstreamPeerName(remote);
    return new RandomPortPool({
      random,
      now,
      limits: this.limits,
      open: (owner) => (name === null ? OpenFailure.NO_ROUTE : this.open(remote.family, name, owner)),
    });
  }

  /** Ends the watching thread. Close the pools first. */
  close(): Promise<void> {
    return this.watch.close();
  }

  private open(family: 4 | 6, name: Uint8Array, owner: DatagramSocketOwner): DatagramSocket | OpenFailure {
    const { clients, sockets } = this;
    const fd = clients.open(family, name);
    if (fd < 0) return isShortage(-fd) ? OpenFailure.NO_SOCKET : OpenFailure.NO_ROUTE;
    const number = this.nextNumber;
    this.nextNumber = (number + 1) % NUMBERS;
    try {
      this.watch.add(fd, number);
    } catch (error) {
      closeSocket(fd);
      if (error instanceof SystemCallError) return OpenFailure.NO_SOCKET;
      throw error;
    }
    const socket = new SystemDatagramSocket(clients, fd, owner, () => sockets.delete(number));
    sockets.set(number, socket);
    return socket;
  }
}

class SystemDatagramSocket implements DatagramSocket {
  private readonly clients: UdpClients;
  private readonly owner: DatagramSocketOwner;
  private readonly onClose: () => void;
  private fd: number;

  constructor(clients: UdpClients, fd: number, owner: DatagramSocketOwner, onClose: () => void) {
    this.clients = clients;
    this.fd = fd;
    this.owner = owner;
    this.onClose = onClose;
  }

  send(message: Uint8Array): void {
    const { clients, fd } = this;
    for (let i = 0; i < message.length; i++) clients.outgoing[i] = message[i];
    const sent = clients.send(fd, message.length);
    // A full buffer loses the datagram, as a network may. Other errors concern everyone who waits on the
    // socket.
    if (sent < 0 && !isPassing(-sent)) queueMicrotask(() => this.fail());
  }

  /** Reads one datagram; the watch calls again while there are more. */
  read(): void {
    const length = this.clients.receive(this.fd);
    if (length >= 0) this.owner.received(this.clients.incoming, length);
    else if (!isPassing(-length)) this.fail();
  }

  async close(): Promise<void> {
    if (this.fd < 0) return;
    closeSocket(this.fd);
    this.fd = -1;
    this.onClose();
  }

  private fail(): void {
    if (this.fd >= 0) this.owner.failed();
  }
}
