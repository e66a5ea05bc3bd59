import { constants } from 'node:os';
import { type Libc, requireLibc, SystemCallError } from './libc.ts';
import { Memory } from './memory.ts';
import { AF_UNIX, encodeUnixAddress } from './unix-address.ts';

/* Numbers and layouts of 64-bit Linux (include/linux/socket.h):
 *
 *   struct msghdr  0 msg_name*  8 msg_namelen  16 msg_iov*  24 msg_iovlen  32 msg_control*  40 msg_controllen  48 msg_flags
 *   struct cmsghdr 0 cmsg_len (8 bytes)  8 cmsg_level (4)  12 cmsg_type (4)  16 data
 */
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const HEADER_BYTES = 56;
const IOV_BYTES = 16;
const CMSG_BYTES = 16;
const FLAGS = 48;
const TEXT_BYTES = 16_384;

/** Descriptors that one message may carry (SCM_MAX_FD). */
export const MOST_DESCRIPTORS = 253;

export interface DescriptorMessage {
  readonly text: string;
  /** Open descriptors with close-on-exec, the receiver's to close. */
  readonly fds: readonly number[];
}

/** Unix datagram socket that carries descriptors to another process (SCM_RIGHTS, unix(7)). Calls do not block. */
export class DescriptorSocket {
  private readonly libc: Libc = requireLibc();
  private readonly fd: number;
  private readonly room: number;
  private readonly header = new Memory(HEADER_BYTES + IOV_BYTES);
  private readonly text = new Memory(TEXT_BYTES);
  private readonly control: Memory;
  private isOpen = true;

  private constructor(fd: number, room: number) {
    this.fd = fd;
    this.room = room;
    this.control = new Memory(CMSG_BYTES + 4 * MOST_DESCRIPTORS + 4);
  }

  /**
   * Opens the receiving end at a path that does not exist yet, mode 0600. The caller removes it.
   * @param room descriptors of a message; one with more is an error
   * @throws SystemCallError
   */
  static bind(path: string, room = MOST_DESCRIPTORS): DescriptorSocket {
    const before = process.umask(0o177);
    try {
      return DescriptorSocket.open(path, 'bind', room);
    } finally {
      process.umask(before);
    }
  }

  /** Opens the sending end. @throws SystemCallError */
  static connect(path: string): DescriptorSocket {
    return DescriptorSocket.open(path, 'connect', MOST_DESCRIPTORS);
  }

  /**
   * Sends copies of descriptors; the caller's own stay open.
   * @param text at most 16 KiB @param fds at most MOST_DESCRIPTORS
   * @throws SystemCallError EWOULDBLOCK: the receiver has ten messages to read
   */
  send(text: string, fds: readonly number[]): void {
    const bytes = Buffer.from(text);
    if (bytes.length > TEXT_BYTES || fds.length > MOST_DESCRIPTORS)
      throw new RangeError('a message has at most 16 KiB and 253 descriptors');
    this.text.bytes.set(bytes);
    const controlBytes = fds.length === 0 ? 0 : CMSG_BYTES + 4 * fds.length;
    const control = new DataView(this.control.bytes.buffer);
    control.setBigUint64(0, BigInt(controlBytes), true);
    control.setInt32(8, SOL_SOCKET, true);
    control.setInt32(12, SCM_RIGHTS, true);
    for (const [index, fd] of fds.entries()) control.setInt32(CMSG_BYTES + 4 * index, fd, true);
    this.describe(bytes.length, controlBytes);
    if (this.libc.sendmsg(this.fd, this.header.bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
      throw new SystemCallError('sendmsg', this.libc.errno());
  }

  /**
   * Receives the next message.
   * @returns null if none waits
   * @throws SystemCallError EMSGSIZE: the message is larger, or has more descriptors than `room` or than this process may
   * open; what came of them is closed
   */
  receive(): DescriptorMessage | null {
    this.describe(TEXT_BYTES, CMSG_BYTES + 4 * this.room);
    const length = this.libc.recvmsg(this.fd, this.header.bytes, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) {
      const errno = this.libc.errno();
      if (errno === constants.errno.EAGAIN) return null;
      throw new SystemCallError('recvmsg', errno);
    }
    const header = new DataView(this.header.bytes.buffer);
    const fds = this.received(Number(header.getBigUint64(40, true)));
    if ((header.getInt32(FLAGS, true) & (MSG_CTRUNC | MSG_TRUNC)) !== 0) {
      for (const fd of fds) this.libc.close(fd);
      throw new SystemCallError('recvmsg', constants.errno.EMSGSIZE);
    }
    return { text: Buffer.from(this.text.bytes.subarray(0, length)).toString(), fds };
  }

  close(): void {
    if (this.isOpen) this.libc.close(this.fd);
    this.isOpen = false;
  }

  private static open(path: string, call: 'bind' | 'connect', room: number): DescriptorSocket {
    const libc = requireLibc();
    const name = encodeUnixAddress(path);
    if (name === null) throw new SystemCallError(call, constants.errno.ENAMETOOLONG);
    const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw new SystemCallError('socket', libc.errno());
    if (libc[call](fd, name, name.length) !== 0) {
      const errno = libc.errno();
      libc.close(fd);
      throw new SystemCallError(call, errno);
    }
    return new DescriptorSocket(fd, room);
  }

  private describe(textBytes: number, controlBytes: number): void {
    const header = new DataView(this.header.bytes.buffer);
    this.header.bytes.fill(0);
    header.setBigUint64(16, BigInt(this.header.address + HEADER_BYTES), true);
    header.setBigUint64(24, 1n, true);
    header.setBigUint64(32, controlBytes === 0 ? 0n : BigInt(this.control.address), true);
    header.setBigUint64(40, BigInt(controlBytes), true);
    header.setBigUint64(HEADER_BYTES, BigInt(this.text.address), true);
    header.setBigUint64(HEADER_BYTES + 8, BigInt(textBytes), true);
  }

  /** @param bytes of control messages; the kernel puts all descriptors of a message into one */
  private received(bytes: number): number[] {
    const control = new DataView(this.control.bytes.buffer);
    if (bytes < CMSG_BYTES || control.getInt32(8, true) !== SOL_SOCKET) return [];
    if (control.getInt32(12, true) !== SCM_RIGHTS) return [];
    const end = Math.min(bytes, Number(control.getBigUint64(0, true)));
    const fds: number[] = [];
    for (let at = CMSG_BYTES; at + 4 <= end; at += 4) fds.push(control.getInt32(at, true));
    return fds;
  }
}
