import type { Socket } from 'node:net';
import { readProxyHeader, type SocketAddress } from '../../net/index.ts';

/** Balancers send the header at once. */
const HEADER_TIMEOUT_MS = 5000;

/**
 * Reads the PROXY header of a balancer's connection and leaves the bytes behind it unread. Closes a connection without a
 * valid header.
 * @param onSource called once with the client's address; null if the header names none
 */
export function readProxiedSource(socket: Socket, onSource: (source: SocketAddress | null) => void): void {
  let seen = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), HEADER_TIMEOUT_MS);
  const take = (): void => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    }
    const header = readProxyHeader(seen, seen.length);
    if (header.kind === 'partial') return;
    leave();
    if (header.kind === 'malformed') {
      socket.destroy();
      return;
    }
    if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
    onSource(header.source);
  };
  const leave = (): void => {
    clearTimeout(timer);
    socket.off('readable', take);
    socket.off('end', hangUp);
    socket.off('close', leave);
  };
  const hangUp = (): void => void socket.destroy();
  socket.on('readable', take);
  socket.on('end', hangUp);
  socket.on('close', leave);
}
