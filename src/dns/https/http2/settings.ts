import { MAX_HEAD_BYTES } from '../request-head.ts';
import {
  ErrorCode,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  Setting,
  writeFrameHeader,
  writeU32,
} from './frame.ts';

/** Requests in progress on one connection. */
export const MAX_CONCURRENT_STREAMS = 100;
/** Window of each stream: four times the longest query. */
const INITIAL_WINDOW_BYTES = 16 * 1024;
const SETTING_BYTES = 6;
/** Entries that one SETTINGS frame may have. */
const MAX_SETTINGS = 32;
const LARGEST_FRAME_BYTES = 0xffffff;

/** Our settings, the first frame of a connection (RFC 9113 3.4). */
export const SERVER_SETTINGS = settingsFrame([
  [Setting.MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS],
  [Setting.INITIAL_WINDOW_SIZE, INITIAL_WINDOW_BYTES],
  [Setting.MAX_HEADER_LIST_SIZE, MAX_HEAD_BYTES],
]);

function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const length = settings.length * SETTING_BYTES;
  const frame = new Uint8Array(FRAME_HEADER_BYTES + length);
  let at = writeFrameHeader(frame, 0, length, FrameType.SETTINGS, 0, 0);
  for (const [id, value] of settings) {
    frame[at] = id >>> 8;
    frame[at + 1] = id;
    at = writeU32(frame, at + 2, value);
  }
  return frame;
}

/** The client's settings. Only the window matters: we neither push nor use a dynamic table. */
export class PeerSettings {
  /** Send window of a new stream. */
  initialWindow = 65_535;

  /** Reads a SETTINGS payload (RFC 9113 6.5). @returns NO_ERROR, or its error */
  read(bytes: Uint8Array, start: number, end: number): ErrorCode {
    if ((end - start) % SETTING_BYTES !== 0) return ErrorCode.FRAME_SIZE_ERROR;
    if (end - start > MAX_SETTINGS * SETTING_BYTES) return ErrorCode.ENHANCE_YOUR_CALM;
    for (let at = start; at < end; at += SETTING_BYTES) {
      const id = (bytes[at]! << 8) | bytes[at + 1]!;
      const value = readValue(bytes, at + 2);
      if (id === Setting.ENABLE_PUSH && value > 1) return ErrorCode.PROTOCOL_ERROR;
      if (id === Setting.MAX_FRAME_SIZE && (value < MAX_FRAME_BYTES || value > LARGEST_FRAME_BYTES)) {
        return ErrorCode.PROTOCOL_ERROR;
      }
      if (id !== Setting.INITIAL_WINDOW_SIZE) continue;
      if (value > MAX_WINDOW_BYTES) return ErrorCode.FLOW_CONTROL_ERROR;
      this.initialWindow = value;
    }
    return ErrorCode.NO_ERROR;
  }
}

function readValue(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
