export { monotonicClock } from './clock.ts';
export { libc, SystemCallError } from './libc.ts';
export { ENDPOINT_BYTES, PacketBatch } from './mmsg.ts';
export { Poller } from './poll.ts';
export {
  closeSocket,
  isBindError,
  localPort,
  openUdpSocket,
  receiveBufferBytes,
  type UdpSocketOptions,
} from './socket.ts';
export { COMPILE_CACHE_DIRECTORY, startThread, type ThreadOptions } from './thread.ts';
