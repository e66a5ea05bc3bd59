import { createRequire } from 'node:module';
import { constants } from 'node:os';

/**
 * The C library through koffi: the only place that declares foreign functions. Each thread loads koffi on first use. Its
 * async calls are never used.
 */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Uint8Array, length: Uint32Array): number;
  recvmmsg(fd: number, headers: Uint32Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, headers: Uint32Array, count: number, flags: number): number;
  /** `header` is a struct msghdr, whose pointers lead to memory of a fixed address: see Memory. */
  sendmsg(fd: number, header: Uint8Array, flags: number): number;
  recvmsg(fd: number, header: Uint8Array, flags: number): number;
  poll(descriptors: Int32Array, count: number, timeoutMs: number): number;
  usleep(microseconds: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, length: Uint32Array, flags: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  shutdown(fd: number, how: number): number;
  /** `address` points to memory that the kernel reads during the call: see Memory. */
  recv(fd: number, address: number, length: number, flags: number): number;
  send(fd: number, address: number, length: number, flags: number): number;
  pipe2(descriptors: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, value: number): number;
  splice(from: number, fromOffset: null, to: number, toOffset: null, length: number, flags: number): number;
  read(fd: number, buffer: Uint8Array, length: number): number;
  write(fd: number, buffer: Uint8Array, length: number): number;
  eventfd(initial: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, count: number, timeoutMs: number): number;
  close(fd: number): number;
  /** Makes a system call by number, for those without a C library function. */
  syscall(number: number, first: number, second: number, third: number): number;
  setrlimit(resource: number, limit: Uint32Array): number;
  /** @returns the address, or -1 on failure */
  mmap(
    address: number,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): number;
  munmap(address: number, length: number): number;
  madvise(address: number, length: number, advice: number): number;
  prctl(option: number, second: number, third: number, fourth: number, fifth: number): number;
  /** errno of the last call in this thread. */
  errno(): number;
  /** Returns the address of a view's first byte as two 32-bit words: [low, high]. */
  addressOf(view: ArrayBufferView): [low: number, high: number];
  /** Wraps mapped memory in a buffer, which must not be used after the memory is unmapped. */
  bufferAt(address: number, length: number): ArrayBuffer;
}

/** A system call failed. `code` is the errno's name, e.g. EADDRINUSE. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly syscall: string;
  constructor(syscall: string, errno: number) {
    const code = errnoName(errno);
    super(`${syscall} failed: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.syscall = syscall;
  }
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

let loaded: Libc | null | undefined;

/**
 * Loads the C library. Null on platforms where the struct layouts of sys/ do not hold (anything but 64-bit little-endian
 * Linux), or without a koffi build.
 */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

/** Returns the C library; the caller has checked that it is available. */
export function requireLibc(): Libc {
  const library = libc();
  if (library === null) throw new SystemCallError('dlopen', constants.errno.ENOSYS);
  return library;
}

function load(): Libc | null {
  const layouts = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  if (!layouts) return null;
  let koffi: typeof import('koffi');
  try {
    koffi = createRequire(import.meta.url)('koffi');
  } catch {
    return null;
  }
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int, int, int)'),
    bind: library.func('int bind(int, void *, uint32_t)'),
    getsockname: library.func('int getsockname(int, void *, void *)'),
    setsockopt: library.func('int setsockopt(int, int, int, void *, uint32_t)'),
    getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
    recvmmsg: library.func('int recvmmsg(int, void *, uint32_t, int, void *)'),
    sendmmsg: library.func('int sendmmsg(int, void *, uint32_t, int)'),
    sendmsg: library.func('int64_t sendmsg(int, void *, int)'),
    recvmsg: library.func('int64_t recvmsg(int, void *, int)'),
    poll: library.func('int poll(void *, uint64_t, int)'),
    usleep: library.func('int usleep(uint32_t)'),
    listen: library.func('int listen(int, int)'),
    accept4: library.func('int accept4(int, void *, void *, int)'),
    connect: library.func('int connect(int, void *, uint32_t)'),
    shutdown: library.func('int shutdown(int, int)'),
    recv: library.func('int64_t recv(int, uint64_t, uint64_t, int)'),
    send: library.func('int64_t send(int, uint64_t, uint64_t, int)'),
    pipe2: library.func('int pipe2(void *, int)'),
    fcntl: library.func('int fcntl(int, int, int)'),
    splice: library.func('int64_t splice(int, void *, int, void *, uint64_t, uint32_t)'),
    read: library.func('int64_t read(int, void *, uint64_t)'),
    write: library.func('int64_t write(int, void *, uint64_t)'),
    eventfd: library.func('int eventfd(uint32_t, int)'),
    epoll_create1: library.func('int epoll_create1(int)'),
    epoll_ctl: library.func('int epoll_ctl(int, int, int, uint64_t)'),
    epoll_wait: library.func('int epoll_wait(int, uint64_t, int, int)'),
    close: library.func('int close(int)'),
    syscall: library.func('int64_t syscall(int64_t, int64_t, uint64_t, uint64_t)'),
    setrlimit: library.func('int setrlimit(int, void *)'),
    mmap: library.func('int64_t mmap(uint64_t, uint64_t, int, int, int, int64_t)'),
    munmap: library.func('int munmap(uint64_t, uint64_t)'),
    madvise: library.func('int madvise(uint64_t, uint64_t, int)'),
    prctl: library.func('int prctl(int, uint64_t, uint64_t, uint64_t, uint64_t)'),
    errno: () => koffi.errno(),
    addressOf(view) {
      const address = koffi.address(view);
      return [Number(address & 0xffffffffn), Number(address >> 32n)];
    },
    bufferAt: (address, length) => koffi.view(BigInt(address), length),
  };
}
