import { type Libc, requireLibc, SystemCallError } from './libc.ts';
import { Memory } from './memory.ts';

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** include/uapi/linux/eventpoll.h */
export const EpollEvent = {
  IN: 0x1,
  /** Urgent data. */
  PRI: 0x2,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  RDHUP: 0x2000,
  /** Edge-triggered: reported when something new arrives, not for as long as something waits. */
  EDGE: 0x8000_0000,
} as const;

/** struct epoll_event is packed on x86-64 only: events at 0, then data, of which 32 bits are used. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const DATA_WORD = process.arch === 'x64' ? 1 : 2;

/** Waits for events of many descriptors by epoll(7). The caller gives each a number, 0 to 2^31 - 1. */
export class Epoll {
  private readonly libc: Libc = requireLibc();
  /** The epoll descriptor, through which another thread can wait on it too. */
  readonly fd: number;
  private readonly capacity: number;
  private readonly memory: Memory;
  private readonly words: Int32Array;
  private readonly request = new Memory(EVENT_WORDS * 4);
  private readonly requestWords = new Int32Array(this.request.bytes.buffer);

  /**
   * @param capacity most events per call of `wait`
   * @param fd another thread's epoll descriptor, to wait on the same descriptors; that thread closes it
   */
  constructor(capacity: number, fd: number | null = null) {
    this.capacity = capacity;
    this.memory = new Memory(capacity * EVENT_WORDS * 4);
    this.words = new Int32Array(this.memory.bytes.buffer);
    this.fd = fd ?? this.libc.epoll_create1(EPOLL_CLOEXEC);
    if (this.fd < 0) throw new SystemCallError('epoll_create1', this.libc.errno());
  }

  /** @throws SystemCallError ENOSPC where fs.epoll.max_user_watches is reached */
  add(fd: number, events: number, data: number): void {
    this.control(EPOLL_CTL_ADD, fd, events, data);
  }

  modify(fd: number, events: number, data: number): void {
    this.control(EPOLL_CTL_MOD, fd, events, data);
  }

  /** Needed only for a descriptor that stays open: closing one removes it. */
  remove(fd: number): void {
    this.control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** @returns the number of events; 0 after timeoutMs or a signal. */
  wait(timeoutMs: number): number {
    const count = this.libc.epoll_wait(this.fd, this.memory.address, this.capacity, timeoutMs);
    return count > 0 ? count : 0;
  }

  eventsAt(i: number): number {
    return this.words[i * EVENT_WORDS];
  }

  dataAt(i: number): number {
    return this.words[i * EVENT_WORDS + DATA_WORD];
  }

  close(): void {
    this.libc.close(this.fd);
  }

  private control(operation: number, fd: number, events: number, data: number): void {
    this.requestWords[0] = events | 0;
    this.requestWords[DATA_WORD] = data;
    if (this.libc.epoll_ctl(this.fd, operation, fd, this.request.address) !== 0) {
      throw new SystemCallError('epoll_ctl', this.libc.errno());
    }
  }
}
