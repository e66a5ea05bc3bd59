import { constants } from 'node:os';
import { type Libc, requireLibc, SystemCallError } from '../libc.ts';
import { closeSocket, trySetInteger } from '../socket.ts';
import { XdpError } from './errors.ts';
import type { NetworkInterface } from './interface.ts';
import type { XdpMode } from './program.ts';

/* Numbers of the Linux system call interface (include/uapi/linux/if_xdp.h, asm-generic/mman-common.h). */
const AF_XDP = 44;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SOL_XDP = 283;
const XDP_MMAP_OFFSETS = 1;
const XDP_RX_RING = 2;
const XDP_TX_RING = 3;
const XDP_UMEM_REG = 4;
const XDP_UMEM_FILL_RING = 5;
const XDP_UMEM_COMPLETION_RING = 6;
const XDP_STATISTICS = 7;
const XDP_OPTIONS = 8;
const XDP_MAX_TX_SKB_BUDGET = 9;
const XDP_COPY = 2;
const XDP_USE_NEED_WAKEUP = 8;
const OPTION_ZEROCOPY = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_POPULATE = 0x8000;
/** mmap offsets of the rings on the socket's descriptor, in the order of XDP_MMAP_OFFSETS. */
const RING_OFFSETS = [0, 0x8000_0000, 0x1_0000_0000, 0x1_8000_0000] as const;
const MAP_FAILED = -1;

/** Size of a frame slot, and the free bytes in it before the frame (XDP_PACKET_HEADROOM). */
export const FRAME_PLACE_BYTES = 2048;
export const FRAME_HEADROOM_BYTES = 256;
/** Buffers about 15 ms of a flood at full rate while nothing is read. */
const FRAMES = 4096;
/** Replies in flight; the other frames are left for the device to receive into. */
const SEND_ENTRIES = FRAMES / 2;
/** Packets per send call in copy mode: the kernel's default limit. */
const DEFAULT_SEND_BUDGET = 32;
const SEND_BUDGET = 256;
const SEND_BUFFER_BYTES = 4 << 20;
const DESCRIPTOR_BYTES = 16;
const ADDRESS_BYTES = 8;

/** A ring that another thread can map: address and length in bytes. */
export interface XdpRingHandle {
  readonly address: number;
  readonly bytes: number;
  readonly entries: number;
  readonly producer: number;
  readonly consumer: number;
  readonly descriptors: number;
  readonly flags: number;
}

/** Lets a thread use a socket that another thread has opened. */
export interface XdpSocketHandle {
  readonly fd: number;
  readonly interfaceIndex: number;
  readonly frames: number;
  readonly memory: { readonly address: number; readonly bytes: number };
  readonly receive: XdpRingHandle;
  readonly send: XdpRingHandle;
  readonly fill: XdpRingHandle;
  readonly completion: XdpRingHandle;
  /** True if the device itself reads and writes the memory (zero-copy). */
  readonly zeroCopy: boolean;
  /** Most packets per send call. */
  readonly sendBudget: number;
}

/** Packets that the kernel dropped since the socket was bound. */
export interface XdpStatistics {
  /** Longer than a frame slot, or out of memory. */
  readonly dropped: number;
  /** The receive ring was full: this process was too slow. */
  readonly ringFull: number;
  /** No free frame to receive into: this process was too slow. */
  readonly fillEmpty: number;
  /** Invalid descriptors from this process. */
  readonly invalid: number;
}

/** The socket of one receive queue, with its memory. One thread opens it, another uses it. */
export class XdpSocket {
  readonly handle: XdpSocketHandle;
  private readonly libc: Libc = requireLibc();
  private readonly mapped: (readonly [address: number, bytes: number])[] = [];
  private isOpen = true;
  private last: XdpStatistics = { dropped: 0, ringFull: 0, fillEmpty: 0, invalid: 0 };

  /** Opens and binds it. @throws XdpError that says what is missing; nothing stays open then. */
  constructor(on: NetworkInterface, queue: number, mode: XdpMode) {
    const { libc } = this;
    const fd = libc.socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) throw openError(libc.errno());
    try {
      this.handle = this.open(fd, on, queue, mode);
    } catch (error) {
      this.unmap();
      closeSocket(fd);
      throw error;
    }
  }

  /** Reads the drop counters; after closing, their last values. @throws SystemCallError */
  statistics(): XdpStatistics {
    if (!this.isOpen) return this.last;
    const value = new BigUint64Array(6);
    this.readOption(this.handle.fd, XDP_STATISTICS, new Uint8Array(value.buffer));
    const [dropped, invalidReceived, invalidSent, ringFull, fillEmpty] = Array.from(value, Number);
    this.last = { dropped, ringFull, fillEmpty, invalid: invalidReceived + invalidSent };
    return this.last;
  }

  /** Closes it. The caller makes sure that no thread uses it. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    closeSocket(this.handle.fd);
    this.unmap();
  }

  private open(fd: number, on: NetworkInterface, queue: number, mode: XdpMode): XdpSocketHandle {
    const memory = this.map(FRAMES * FRAME_PLACE_BYTES, MAP_PRIVATE_ANONYMOUS | MAP_POPULATE, -1, 0);
    this.register(fd, memory);
    const sizes = { receive: FRAMES, send: SEND_ENTRIES, fill: FRAMES, completion: FRAMES };
    const options = {
      receive: XDP_RX_RING,
      send: XDP_TX_RING,
      fill: XDP_UMEM_FILL_RING,
      completion: XDP_UMEM_COMPLETION_RING,
    };
    for (const name of Object.keys(sizes) as (keyof typeof sizes)[]) {
      if (!trySetInteger(fd, SOL_XDP, options[name], sizes[name])) throw this.failure('setsockopt');
    }
    const offsets = new BigUint64Array(16);
    this.readOption(fd, XDP_MMAP_OFFSETS, new Uint8Array(offsets.buffer));
    const ring = (i: number, entries: number, descriptorBytes: number): XdpRingHandle => {
      const [producer, consumer, descriptors, flags] = Array.from(offsets.subarray(i * 4, i * 4 + 4), Number);
      const bytes = descriptors! + entries * descriptorBytes;
      const { address } = this.map(bytes, MAP_SHARED | MAP_POPULATE, fd, RING_OFFSETS[i]!);
      return {
        address,
        bytes,
        entries,
        producer: producer!,
        consumer: consumer!,
        descriptors: descriptors!,
        flags: flags!,
      };
    };
    const rings = {
      receive: ring(0, sizes.receive, DESCRIPTOR_BYTES),
      send: ring(1, sizes.send, DESCRIPTOR_BYTES),
      fill: ring(2, sizes.fill, ADDRESS_BYTES),
      completion: ring(3, sizes.completion, ADDRESS_BYTES),
    };
    this.offerFrames(rings.fill);
    // Copied packets count against the send buffer until they have left.
    trySetInteger(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
    const sendBudget = trySetInteger(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, SEND_BUDGET)
      ? SEND_BUDGET
      : DEFAULT_SEND_BUDGET;
    this.bind(fd, on, queue, mode);
    const flags = new Uint8Array(4);
    this.readOption(fd, XDP_OPTIONS, flags);
    const zeroCopy = (flags[0]! & OPTION_ZEROCOPY) !== 0;
    return { fd, interfaceIndex: on.index, frames: FRAMES, memory, ...rings, zeroCopy, sendBudget };
  }

  /** Some drivers never start receiving unless frames are offered when the socket is bound. */
  private offerFrames(fill: XdpRingHandle): void {
    const words = new Int32Array(this.libc.bufferAt(fill.address, fill.bytes & ~3));
    for (let i = 0; i < FRAMES; i++)
      words[(fill.descriptors + i * ADDRESS_BYTES) >> 2] = i * FRAME_PLACE_BYTES;
    Atomics.store(words, fill.producer >> 2, FRAMES);
  }

  private register(fd: number, memory: { address: number; bytes: number }): void {
    const request = new BigUint64Array(4);
    const words = new Uint32Array(request.buffer);
    request[0] = BigInt(memory.address);
    request[1] = BigInt(memory.bytes);
    words[4] = FRAME_PLACE_BYTES;
    const bytes = new Uint8Array(request.buffer);
    if (this.libc.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, bytes, bytes.length) === 0) return;
    if (this.libc.errno() === constants.errno.ENOBUFS) {
      const room = `${memory.bytes >> 20} MiB a queue of locked memory`;
      throw new XdpError(
        `RLIMIT_MEMLOCK is too low for ${room}: raise it (LimitMEMLOCK), or give CAP_IPC_LOCK`,
      );
    }
    throw this.failure('setsockopt');
  }

  private bind(fd: number, on: NetworkInterface, queue: number, mode: XdpMode): void {
    const address = new Uint8Array(16);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_XDP, true);
    // With no mode requested, the kernel uses zero-copy if the driver supports it.
    view.setUint16(2, XDP_USE_NEED_WAKEUP | (mode === 'generic' ? XDP_COPY : 0), true);
    view.setUint32(4, on.index, true);
    view.setUint32(8, queue, true);
    if (this.libc.bind(fd, address, address.length) === 0) return;
    const { code } = new SystemCallError('bind', this.libc.errno());
    const reason = code === 'EBUSY' ? ': another program has it' : '';
    throw new XdpError(`queue ${queue} of "${on.name}" cannot be bound: ${code}${reason}`);
  }

  private map(bytes: number, flags: number, fd: number, offset: number): { address: number; bytes: number } {
    const address = this.libc.mmap(0, bytes, PROT_READ_WRITE, flags, fd, offset);
    if (address === MAP_FAILED) throw this.failure('mmap');
    this.mapped.push([address, bytes]);
    return { address, bytes };
  }

  private unmap(): void {
    for (const [address, bytes] of this.mapped.splice(0)) this.libc.munmap(address, bytes);
  }

  private readOption(fd: number, option: number, value: Uint8Array): void {
    const length = Uint32Array.of(value.length);
    if (this.libc.getsockopt(fd, SOL_XDP, option, value, length) !== 0) {
      throw new SystemCallError('getsockopt', this.libc.errno());
    }
  }

  private failure(call: string): XdpError {
    return new XdpError(new SystemCallError(call, this.libc.errno()).message);
  }
}

function openError(errno: number): XdpError {
  const { code } = new SystemCallError('socket', errno);
  if (code === 'EPERM') return new XdpError('the process has not CAP_NET_RAW, which AF_XDP sockets take');
  if (code === 'EAFNOSUPPORT') return new XdpError('this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)');
  return new XdpError(`an AF_XDP socket cannot be opened: ${code}`);
}
