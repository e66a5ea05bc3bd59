import { constants } from 'node:os';
import { type Libc, requireLibc, SystemCallError } from './libc.ts';
import {
  AF_INET,
  AF_INET6,
  encodeSocketAddress,
  SOCKADDR_BYTES,
  setInteger,
  trySetInteger,
} from './socket.ts';

/* Numbers of the Linux system call interface. */
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SOL_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SHUT_WR = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** SPLICE_F_MOVE, SPLICE_F_NONBLOCK */
const SPLICE_FLAGS = 3;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;

/*
 * Reused memory for calls made per connection: getting the address of a fresh typed array costs more than the call. Each
 * thread has its own copy of this module.
 */
const shared = (): Uint8Array => new Uint8Array(new SharedArrayBuffer(128));
const connectName = shared();
const connectView = new DataView(connectName.buffer);
const errorBytes = shared();
const errorValue = new Int32Array(errorBytes.buffer);
const errorLength = new Uint32Array(shared().buffer);
const pipeEnds = new Int32Array(shared().buffer);
/** struct linger: l_onoff 1, l_linger 0 s. */
const LINGER_NOT = shared();
LINGER_NOT[0] = 1;

/** An address in network order, 4 or 16 bytes. */
export interface TcpEndpoint {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

/**
 * Opens a non-blocking TCP listener. IPv6 listeners take IPv6 only.
 * @param reusePort several listeners share the port; the kernel spreads connections over them
 * @throws SystemCallError EADDRINUSE, EACCES, EADDRNOTAVAIL ...
 */
export function listenTcp(at: TcpEndpoint, port: number, backlog: number, reusePort: boolean): number {
  const libc = requireLibc();
  const fd = openSocket(libc, at.family);
  try {
    setInteger(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reusePort) setInteger(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (at.family === 6) setInteger(fd, SOL_IPV6, IPV6_V6ONLY, 1);
    // Accepted connections inherit it.
    setInteger(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    const name = encodeSocketAddress(at.family, at.bytes, port);
    if (libc.bind(fd, name, name.length) !== 0) throw new SystemCallError('bind', libc.errno());
    if (libc.listen(fd, backlog) !== 0) throw new SystemCallError('bind', libc.errno());
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Accepts connections from listeners. */
export class TcpAcceptor {
  /** Address of the latest connection's peer. */
  family: 4 | 6 = 4;
  port = 0;
  private readonly libc: Libc = requireLibc();
  private readonly name = new Uint8Array(new SharedArrayBuffer(128));
  private readonly view = new DataView(this.name.buffer);
  private readonly length = new Uint32Array(new SharedArrayBuffer(128));

  /** @returns a non-blocking descriptor, or -errno: -EAGAIN if none is waiting */
  accept(listener: number): number {
    this.length[0] = SOCKADDR_BYTES;
    const fd = this.libc.accept4(listener, this.name, this.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -this.libc.errno();
    this.family = this.name[0] === AF_INET ? 4 : 6;
    this.port = this.view.getUint16(2);
    return fd;
  }

  /** The peer's address as 32-bit words in host order; IPv4 uses the first only. */
  words(): [number, number, number, number] {
    const { view } = this;
    if (this.family === 4) return [view.getUint32(4), 0, 0, 0];
    return [view.getUint32(8), view.getUint32(12), view.getUint32(16), view.getUint32(20)];
  }
}

/**
 * Starts to connect. The descriptor becomes writable when the attempt has ended; connectError gives the result.
 * @param local the address to connect from; null lets the system choose
 * @returns the descriptor, or -errno if it failed at once
 */
export function connectTcp(to: TcpEndpoint, port: number, local: TcpEndpoint | null): number {
  const libc = requireLibc();
  const fd = libc.socket(to.family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  if (local !== null) {
    trySetInteger(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    const from = encodeSocketAddress(local.family, local.bytes, 0);
    if (libc.bind(fd, from, from.length) !== 0) return failed(libc, fd);
  }
  connectView.setUint16(0, to.family === 4 ? AF_INET : AF_INET6, true);
  connectView.setUint16(2, port);
  const { bytes } = to;
  const at = to.family === 4 ? 4 : 8;
  for (let i = 0; i < bytes.length; i++) connectName[at + i] = bytes[i];
  return startConnecting(libc, fd, connectName, to.family === 4 ? 16 : SOCKADDR_BYTES);
}

/**
 * Opens a non-blocking socket that starts to connect to one peer, as connectTcp does.
 * @param name the peer, from peerName
 * @returns the descriptor, or -errno if it failed at once
 */
export function openTcpClient(family: 4 | 6, name: Uint8Array): number {
  const libc = requireLibc();
  const fd = libc.socket(family === 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -libc.errno();
  return startConnecting(libc, fd, name, name.length);
}

function startConnecting(libc: Libc, fd: number, name: Uint8Array, length: number): number {
  const done = libc.connect(fd, name, length);
  return done === 0 || libc.errno() === constants.errno.EINPROGRESS ? fd : failed(libc, fd);
}

function failed(libc: Libc, fd: number): number {
  const errno = libc.errno();
  libc.close(fd);
  return -errno;
}

/** Result of a connect that has ended: 0 or its errno. */
export function connectError(fd: number): number {
  const libc = requireLibc();
  errorLength[0] = 4;
  if (libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, errorBytes, errorLength) !== 0) return libc.errno();
  return errorValue[0];
}

/** Sets TCP_NODELAY: data does not wait for earlier data to be acknowledged. */
export function sendAtOnce(fd: number): void {
  trySetInteger(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/** Shuts down sending; the peer reads an end of file. */
export function shutdownWrite(fd: number): void {
  requireLibc().shutdown(fd, SHUT_WR);
}

/** Makes close(2) send a reset, so that the peer does not mistake a cut stream for a complete one. */
export function resetOnClose(fd: number): void {
  requireLibc().setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER_NOT, 8);
}

/** Moves bytes between sockets, memory and pipes without blocking. */
export class TcpTransfer {
  private readonly libc: Libc = requireLibc();

  /** @returns bytes received; 0 at the end of the stream; -errno: -EAGAIN if none are waiting. */
  receive(fd: number, address: number, length: number): number {
    const count = this.libc.recv(fd, address, length, MSG_DONTWAIT);
    return count >= 0 ? count : -this.libc.errno();
  }

  /** @returns bytes accepted; -errno: -EAGAIN if there is no room. */
  send(fd: number, address: number, length: number): number {
    const count = this.libc.send(fd, address, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return count >= 0 ? count : -this.libc.errno();
  }

  /**
   * Moves bytes from a socket into an empty pipe by splice(2).
   * @returns bytes moved; 0 at the end of the stream; -errno: -EAGAIN if none are waiting, -EINVAL if not supported.
   */
  spliceIn(fd: number, pipe: Pipe, length: number): number {
    const count = this.libc.splice(fd, null, pipe.writeEnd, null, length, SPLICE_FLAGS);
    return count >= 0 ? count : -this.libc.errno();
  }

  /** Moves up to `length` bytes from a pipe to a socket. @returns bytes moved; -errno: -EAGAIN if there is no room. */
  spliceOut(pipe: Pipe, fd: number, length: number): number {
    const count = this.libc.splice(pipe.readEnd, null, fd, null, length, SPLICE_FLAGS);
    return count >= 0 ? count : -this.libc.errno();
  }
}

/** A non-blocking pipe that carries bytes from socket to socket without copying. */
export class Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;

  private constructor(readEnd: number, writeEnd: number) {
    this.readEnd = readEnd;
    this.writeEnd = writeEnd;
  }

  /**
   * @param bytes wanted capacity; the kernel falls back to 64 KiB if the user has too many pipe pages (pipe(7))
   * @returns null if no descriptors are left
   */
  static open(bytes: number): Pipe | null {
    const libc = requireLibc();
    if (libc.pipe2(pipeEnds, O_NONBLOCK | O_CLOEXEC) !== 0) return null;
    const [readEnd, writeEnd] = pipeEnds;
    libc.fcntl(writeEnd!, F_SETPIPE_SZ, bytes);
    return new Pipe(readEnd!, writeEnd!);
  }

  close(): void {
    const libc = requireLibc();
    libc.close(this.readEnd);
    libc.close(this.writeEnd);
  }
}

function openSocket(libc: Libc, family: 4 | 6): number {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new SystemCallError('socket', libc.errno());
  return fd;
}
