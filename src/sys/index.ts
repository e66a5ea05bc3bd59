export { AdaptivePolling } from './adaptive-polling.ts';
export { monotonicClock, monotonicClockInto, sleepMicroseconds } from './clock.ts';
export { type DescriptorMessage, DescriptorSocket, MOST_DESCRIPTORS } from './descriptor-socket.ts';
export { type DirectReader, DirectStream } from './direct-stream.ts';
export { Epoll, EpollEvent } from './epoll.ts';
export { clearEvent, openEvent, signalEvent } from './event.ts';
export { adoptUdpSocket, describeSocket, type InheritedSocket, shareListeners } from './inherited.ts';
export { libc, SystemCallError } from './libc.ts';
export { LoopCounter, type LoopingThread, loopingThreads } from './loop-counter.ts';
export { Memory } from './memory.ts';
export { ENDPOINT_BYTES } from './mmsg-layout.ts';
export { PacketBatch, type PacketSlots } from './packet-batch.ts';
export { Poller } from './poll.ts';
export { assertPrivate, FileNotPrivateError } from './private-file.ts';
export { type ReplaceFileOptions, replaceFile } from './replace-file.ts';
export { excludeFromDumps, sealProcess } from './seal.ts';
export { settleHeap } from './settle.ts';
export { sharePort } from './share-port.ts';
export { askForSlice } from './slice.ts';
export {
  closeSocket,
  connectUdp,
  isBindError,
  localName,
  localPort,
  openUdpSocket,
  receiveBufferBytes,
  type UdpConnection,
  type UdpSocketOptions,
} from './socket.ts';
export { notifySupervisor } from './supervisor.ts';
export {
  connectError,
  connectTcp,
  listenTcp,
  Pipe,
  resetOnClose,
  sendAtOnce,
  shutdownWrite,
  TcpAcceptor,
  type TcpEndpoint,
  TcpTransfer,
} from './tcp.ts';
export { COMPILE_CACHE_DIRECTORY, startThread, type ThreadOptions } from './thread.ts';
export { TlsClient, TlsContext, type TlsPeer, TlsState } from './tls-client.ts';
export { openUdpClient, peerName, UdpClients, type UdpPeer } from './udp.ts';
export { SocketWatch } from './watch.ts';
