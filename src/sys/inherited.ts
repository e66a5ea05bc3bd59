import { requireLibc, SystemCallError } from './libc.ts';
import {
  AF_INET,
  AF_INET6,
  IP_PKTINFO,
  IPV6_RECVPKTINFO,
  localName,
  SOCKADDR_BYTES,
  SOL_IP,
  SOL_IPV6,
  setDontFragment,
  setInteger,
  setReceiveTimeout,
} from './socket.ts';

/* Numbers of the Linux system call interface. */
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SO_ACCEPTCONN = 30;
const IPV6_V6ONLY = 26;
const F_SETFL = 4;
const F_GETFL = 3;
const F_DUPFD_CLOEXEC = 1030;
const O_NONBLOCK = 0o4000;

/** A socket that another process opened. */
export interface InheritedSocket {
  readonly fd: number;
  readonly type: 'udp' | 'tcp';
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly bytes: Uint8Array;
  readonly port: number;
  /** True if an IPv6 socket takes IPv4 too. */
  readonly isDualStack: boolean;
}

/**
 * Reads what an inherited descriptor is.
 * @returns null for anything but a bound UDP socket or a TCP listener
 */
export function describeSocket(fd: number): InheritedSocket | null {
  const type = readOption(fd, SOL_SOCKET, SO_TYPE);
  const isListener = type === SOCK_STREAM && readOption(fd, SOL_SOCKET, SO_ACCEPTCONN) === 1;
  if (type !== SOCK_DGRAM && !isListener) return null;
  const family = familyOf(fd);
  if (family === null) return null;
  const { bytes, port } = localName(fd);
  if (port === 0) return null;
  const isDualStack = family === 6 && readOption(fd, SOL_IPV6, IPV6_V6ONLY) === 0;
  return { fd, type: isListener ? 'tcp' : 'udp', family, bytes, port, isDualStack };
}

/**
 * Sets what openUdpSocket sets, but for the receive buffer, which belongs to who opened the socket.
 * @throws SystemCallError
 */
export function adoptUdpSocket(
  fd: number,
  options: { family: 4 | 6; receiveTimeoutMs: number; packetInfo: boolean },
): void {
  setBlocking(fd, true);
  setReceiveTimeout(fd, options.receiveTimeoutMs);
  setDontFragment(fd, options.family);
  if (!options.packetInfo) return;
  if (options.family === 4) setInteger(fd, SOL_IP, IP_PKTINFO, 1);
  else setInteger(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
}

/**
 * Shares listeners among threads: each thread has one at least, and each listener is accepted from.
 * @returns descriptors of each thread, its own to close; non-blocking @throws SystemCallError
 */
export function shareListeners(fds: readonly number[], threads: number): number[][] {
  for (const fd of fds) setBlocking(fd, false);
  const shares: number[][] = Array.from({ length: threads }, () => []);
  for (let i = 0; i < Math.max(fds.length, threads); i++) {
    const fd = fds[i % fds.length]!;
    shares[i % threads]!.push(i < fds.length ? fd : duplicate(fd));
  }
  return shares;
}

function duplicate(fd: number): number {
  const libc = requireLibc();
  const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw new SystemCallError('fcntl', libc.errno());
  return copy;
}

function setBlocking(fd: number, isBlocking: boolean): void {
  const libc = requireLibc();
  const flags = libc.fcntl(fd, F_GETFL, 0);
  const wanted = isBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
  if (flags < 0 || libc.fcntl(fd, F_SETFL, wanted) < 0) throw new SystemCallError('fcntl', libc.errno());
}

/** @returns -1 if the descriptor has no such option */
function readOption(fd: number, level: number, option: number): number {
  const value = new Int32Array(1);
  const bytes = new Uint8Array(value.buffer);
  return requireLibc().getsockopt(fd, level, option, bytes, Uint32Array.of(4)) === 0 ? value[0]! : -1;
}

function familyOf(fd: number): 4 | 6 | null {
  const name = new Uint8Array(SOCKADDR_BYTES);
  if (requireLibc().getsockname(fd, name, Uint32Array.of(SOCKADDR_BYTES)) !== 0) return null;
  const family = name[0]! | (name[1]! << 8);
  if (family === AF_INET) return 4;
  return family === AF_INET6 ? 6 : null;
}
