import { closeSocket, localPort } from './socket.ts';

/**
 * Opens sockets that share a port (SO_REUSEPORT). A first bind without the option finds out if another process has the
 * port, which the option would hide; with port 0 the kernel chooses one.
 * @param open opens a socket on a port @throws what `open` throws; nothing stays open then
 */
export function sharePort(
  open: (port: number, reusePort: boolean) => number,
  port: number,
  count: number,
): { port: number; fds: number[] } {
  const fds: number[] = [];
  try {
    const probe = open(port, false);
    const bound = localPort(probe);
    closeSocket(probe);
    for (let i = 0; i < count; i++) fds.push(open(bound, true));
    return { port: bound, fds };
  } catch (error) {
    for (const fd of fds) closeSocket(fd);
    throw error;
  }
}
