export { libc, SystemCallError } from './libc.ts';
export { ENDPOINT_BYTES, PacketBatch } from './mmsg.ts';
export {
  closeSocket,
  isBindError,
  localPort,
  openUdpSocket,
  receiveBufferBytes,
  type UdpSocketOptions,
} from './socket.ts';
