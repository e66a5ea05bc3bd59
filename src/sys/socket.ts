import { constants } from 'node:os';
import { requireLibc, SystemCallError } from './libc.ts';

/* Numbers of the Linux system call interface (include/uapi/linux/{in,in6,socket}.h). */
export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
export const SOL_IP = 0;
export const IP_PKTINFO = 8;
const IP_MTU_DISCOVER = 10;
export const SOL_IPV6 = 41;
const IPV6_MTU_DISCOVER = 23;
const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
/** Sets DF and ignores ICMP about the path's MTU, which anyone could forge. */
const PMTUDISC_PROBE = 3;

/** Size of the largest socket address used here, sockaddr_in6. */
export const SOCKADDR_BYTES = 28;

export interface UdpSocketOptions {
  family: 4 | 6;
  /** Network order, 4 or 16 bytes; all zero binds every address of the family. */
  address: Uint8Array;
  /** 0: the system chooses one. */
  port: number;
  /** SO_REUSEPORT: several sockets share the port; the kernel spreads sources over them. */
  reusePort: boolean;
  /** SO_RCVBUF; the kernel cuts it to net.core.rmem_max without CAP_NET_ADMIN. */
  receiveBufferBytes: number;
  /** Timeout of a receive call, so that its thread can check its stop flag. */
  receiveTimeoutMs: number;
  /** Report each packet's destination address, so that the reply can come from it. */
  packetInfo: boolean;
}

/**
 * Opens and binds a UDP socket. IPv6 sockets take IPv6 only.
 * @returns its file descriptor.
 * @throws SystemCallError EADDRINUSE, EACCES, EADDRNOTAVAIL ...
 */
export function openUdpSocket(options: UdpSocketOptions): number {
  const libc = requireLibc();
  const ipv4 = options.family === 4;
  const fd = libc.socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemCallError('socket', libc.errno());
  try {
    if (options.reusePort) setInteger(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!ipv4) setInteger(fd, SOL_IPV6, IPV6_V6ONLY, 1);
    setReceiveBuffer(fd, options.receiveBufferBytes);
    trySetInteger(fd, SOL_SOCKET, SO_SNDBUF, options.receiveBufferBytes);
    setReceiveTimeout(fd, options.receiveTimeoutMs);
    setDontFragment(fd, options.family);
    if (options.packetInfo) {
      if (ipv4) setInteger(fd, SOL_IP, IP_PKTINFO, 1);
      else setInteger(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
    }
    const name = encodeSocketAddress(options.family, options.address, options.port);
    if (libc.bind(fd, name, name.length) !== 0) throw new SystemCallError('bind', libc.errno());
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Options of a connected UDP socket. */
export interface UdpConnection {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Local address of the same family; null lets the system choose. */
  readonly from: Uint8Array | null;
  /** SO_RCVBUF, as in UdpSocketOptions. */
  readonly receiveBufferBytes: number;
}

/**
 * Opens a UDP socket connected to one peer; it receives from this peer only.
 * @returns its file descriptor, or -errno
 */
export function connectUdp({
  family,
  address,
  port,
  from,
  receiveBufferBytes: bytes,
}: UdpConnection): number {
  const libc = requireLibc();
  const ipv4 = family === 4;
  const fd = libc.socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  if (!trySetInteger(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) trySetInteger(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  if (ipv4) trySetInteger(fd, SOL_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  else trySetInteger(fd, SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
  const local = from && encodeSocketAddress(family, from, 0);
  const peer = encodeSocketAddress(family, address, port);
  const isBound = local === null || libc.bind(fd, local, local.length) === 0;
  if (isBound && libc.connect(fd, peer, peer.length) === 0) return fd;
  const errno = libc.errno();
  libc.close(fd);
  return -errno;
}

/** Closes a file descriptor that was opened here. */
export function closeSocket(fd: number): void {
  requireLibc().close(fd);
}

/** Reads the port that a socket is bound to. */
export function localPort(fd: number): number {
  return localName(fd).port;
}

/** Reads the address, in network order, and the port that a socket is bound to. */
export function localName(fd: number): { bytes: Uint8Array; port: number } {
  const libc = requireLibc();
  const name = new Uint8Array(SOCKADDR_BYTES);
  const length = Uint32Array.of(SOCKADDR_BYTES);
  if (libc.getsockname(fd, name, length) !== 0) throw new SystemCallError('getsockname', libc.errno());
  const bytes = name[0] === AF_INET ? name.slice(4, 8) : name.slice(8, 24);
  return { bytes, port: (name[2] << 8) | name[3] };
}

/** Reads the granted receive buffer in bytes. The kernel counts its overhead, so this is twice the requested size. */
export function receiveBufferBytes(fd: number): number {
  const libc = requireLibc();
  const value = new Uint8Array(4);
  const length = Uint32Array.of(4);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, value, length) !== 0) {
    throw new SystemCallError('getsockopt', libc.errno());
  }
  return new DataView(value.buffer).getInt32(0, true);
}

export function encodeSocketAddress(family: 4 | 6, address: Uint8Array, port: number): Uint8Array {
  const name = new Uint8Array(family === 4 ? 16 : SOCKADDR_BYTES);
  const view = new DataView(name.buffer);
  view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  name.set(address, family === 4 ? 4 : 8);
  return name;
}

export function trySetInteger(fd: number, level: number, option: number, value: number): boolean {
  integerOption[0] = value;
  return requireLibc().setsockopt(fd, level, option, integerOptionBytes, 4) === 0;
}

/** Reused memory: making a typed array for one call costs more than the call. */
const integerOption = new Int32Array(new SharedArrayBuffer(128));
const integerOptionBytes = new Uint8Array(integerOption.buffer);

export function setInteger(fd: number, level: number, option: number, value: number): void {
  if (!trySetInteger(fd, level, option, value)) {
    throw new SystemCallError('setsockopt', requireLibc().errno());
  }
}

/** SO_RCVBUFFORCE exceeds rmem_max, with CAP_NET_ADMIN. Without it, the kernel silently cuts to rmem_max. */
function setReceiveBuffer(fd: number, bytes: number): void {
  if (!trySetInteger(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) setInteger(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

export function setDontFragment(fd: number, family: 4 | 6): void {
  if (family === 4) setInteger(fd, SOL_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  else setInteger(fd, SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
}

export function setReceiveTimeout(fd: number, timeoutMs: number): void {
  const value = new Uint8Array(16);
  const view = new DataView(value.buffer);
  view.setUint32(0, Math.floor(timeoutMs / 1000), true);
  view.setUint32(8, (timeoutMs % 1000) * 1000, true);
  if (requireLibc().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, value, 16) !== 0) {
    throw new SystemCallError('setsockopt', requireLibc().errno());
  }
}

/** True for an error of bind(2): the address is in use, not ours, or not permitted. */
export function isBindError(error: unknown): error is SystemCallError {
  return error instanceof SystemCallError && error.syscall === 'bind' && error.code in constants.errno;
}
