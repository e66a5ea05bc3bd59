import { requireLibc, SystemCallError } from './libc.ts';

const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

/** An eventfd(2), by which one thread wakes another from epoll_wait. */
export function openEvent(): number {
  const libc = requireLibc();
  const fd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) throw new SystemCallError('eventfd', libc.errno());
  return fd;
}

export function signalEvent(fd: number): void {
  const one = new Uint8Array(8);
  one[0] = 1;
  requireLibc().write(fd, one, 8);
}

/** Clears it until the next signal. */
export function clearEvent(fd: number): void {
  requireLibc().read(fd, new Uint8Array(8), 8);
}
