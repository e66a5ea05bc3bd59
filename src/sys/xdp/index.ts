export { FRAME_RESULTS, FrameBatch } from './batch.ts';
export { XdpError } from './errors.ts';
export { Frames, FrameVerdict, type XdpTarget } from './frame.ts';
export { type NetworkInterface, readInterface } from './interface.ts';
export { MAX_XDP_TARGETS, type XdpMode, XdpProgram } from './program.ts';
export {
  FRAME_PLACE_BYTES,
  type XdpRingHandle,
  XdpSocket,
  type XdpSocketHandle,
  type XdpStatistics,
} from './socket.ts';
