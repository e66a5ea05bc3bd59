import { createSocket } from 'node:dgram';

/** Returns true if a DNS server sends an answer record within `timeoutMs`. */
export function answers(
  port: number,
  query: Uint8Array,
  address = '127.0.0.1',
  timeoutMs = 200,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (found: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(found);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    socket.once('message', (reply) => end(reply.length > 12 && reply.readUInt16BE(6) > 0));
    socket.once('error', () => end(false));
    socket.send(query, port, address);
  });
}
