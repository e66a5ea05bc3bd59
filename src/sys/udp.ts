import { type Libc, requireLibc } from './libc.ts';
import { Memory } from './memory.ts';
import { AF_INET, AF_INET6, encodeSocketAddress } from './socket.ts';

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Offset within sockaddr_in6. In the machine's order, which is little-endian wherever sys/ loads. */
const SCOPE_ID = 24;
const MAX_DATAGRAM_BYTES = 65_535;

/** Peer of a connected socket. */
export interface UdpPeer {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Interface index of a link-local IPv6 address, else 0. */
  readonly scopeId: number;
}

/**
 * Client UDP sockets, each connected to one peer: the kernel draws a random port, drops packets from other sources and
 * reports ICMP errors. All sockets share two datagram buffers.
 */
export class UdpClients {
  /** Datagram to send. */
  readonly outgoing: Uint8Array;
  /** Datagram received last. */
  readonly incoming: Uint8Array;
  private readonly libc: Libc = requireLibc();
  private readonly outgoingAddress: number;
  private readonly incomingAddress: number;

  constructor() {
    const [outgoing, incoming] = [new Memory(MAX_DATAGRAM_BYTES), new Memory(MAX_DATAGRAM_BYTES)];
    this.outgoing = outgoing.bytes;
    this.outgoingAddress = outgoing.address;
    this.incoming = incoming.bytes;
    this.incomingAddress = incoming.address;
  }

  /** Same as openUdpClient. */
  open(family: 4 | 6, name: Uint8Array): number {
    return openUdpClient(family, name);
  }

  /** Sends outgoing[0, length). @returns `length`, or -errno, possibly of an earlier ICMP error */
  send(fd: number, length: number): number {
    const sent = this.libc.send(fd, this.outgoingAddress, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 ? sent : -this.libc.errno();
  }

  /** @returns length of the datagram now in `incoming`; -errno: -EAGAIN if none waits */
  receive(fd: number): number {
    const count = this.libc.recv(fd, this.incomingAddress, MAX_DATAGRAM_BYTES, MSG_DONTWAIT);
    return count >= 0 ? count : -this.libc.errno();
  }
}

/**
 * Opens a non-blocking socket connected to one peer.
 * @param name the peer, from peerName
 * @returns the descriptor, or -errno
 */
export function openUdpClient(family: 4 | 6, name: Uint8Array): number {
  const libc = requireLibc();
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  if (libc.connect(fd, name, name.length) === 0) return fd;
  const errno = libc.errno();
  libc.close(fd);
  return -errno;
}

/** Encodes a peer as a socket address. */
export function peerName({ family, address, port, scopeId }: UdpPeer): Uint8Array {
  const name = encodeSocketAddress(family, address, port);
  if (family === 6) new DataView(name.buffer).setUint32(SCOPE_ID, scopeId, true);
  return name;
}
