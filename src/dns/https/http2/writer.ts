import type { Channel } from '../../stream/channel.ts';
import type { Outbox } from '../../stream/outbox.ts';
import type { HttpDate } from '../http-date.ts';
import { maxAgeSeconds } from '../max-age.ts';
import type { Refusal } from '../request.ts';
import {
  type ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_FRAME_BYTES,
  writeFrameHeader,
  writeU32,
} from './frame.ts';
import { ANSWER_BLOCK_BYTES, REFUSAL_BLOCK_BYTES, writeAnswerBlock, writeRefusalBlock } from './response.ts';

/** Writes the frames of one connection into its thread's outbox. */
export class FrameWriter {
  private readonly channel: Channel;
  private readonly outbox: Outbox;
  private readonly date: HttpDate;

  constructor(channel: Channel, outbox: Outbox, date: HttpDate) {
    this.channel = channel;
    this.outbox = outbox;
    this.date = date;
  }

  /** HEADERS of an answer of `length` bytes; its DATA follow. */
  answerHead(streamId: number, reply: Uint8Array, length: number): void {
    const room = FRAME_HEADER_BYTES + ANSWER_BLOCK_BYTES;
    const at = this.outbox.reserve(this.channel, room);
    const { bytes } = this.outbox;
    const block = at + FRAME_HEADER_BYTES;
    const end = writeAnswerBlock(bytes, block, this.date.bytes, maxAgeSeconds(reply, length), length);
    writeFrameHeader(bytes, at, end - block, FrameType.HEADERS, Flag.END_HEADERS, streamId);
    this.outbox.trim(at + room - end);
  }

  refusal(streamId: number, status: Refusal): void {
    const room = FRAME_HEADER_BYTES + REFUSAL_BLOCK_BYTES;
    const at = this.outbox.reserve(this.channel, room);
    const { bytes } = this.outbox;
    const block = at + FRAME_HEADER_BYTES;
    const end = writeRefusalBlock(bytes, block, this.date.bytes, status);
    const flags = Flag.END_HEADERS | Flag.END_STREAM;
    writeFrameHeader(bytes, at, end - block, FrameType.HEADERS, flags, streamId);
    this.outbox.trim(at + room - end);
  }

  /** DATA of `body[start, end)`, in frames of a length that every client accepts. */
  data(streamId: number, body: Uint8Array, start: number, end: number, endsStream: boolean): void {
    for (let from = start; from < end; from += MAX_FRAME_BYTES) {
      const to = Math.min(from + MAX_FRAME_BYTES, end);
      const at = this.outbox.reserve(this.channel, FRAME_HEADER_BYTES + to - from);
      const { bytes } = this.outbox;
      const flags = endsStream && to === end ? Flag.END_STREAM : 0;
      const payload = writeFrameHeader(bytes, at, to - from, FrameType.DATA, flags, streamId);
      bytes.set(body.subarray(from, to), payload);
    }
  }

  resetStream(streamId: number, code: ErrorCode): void {
    this.word(FrameType.RST_STREAM, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    this.word(FrameType.WINDOW_UPDATE, streamId, increment);
  }

  goaway(lastStreamId: number, code: ErrorCode): void {
    const at = this.outbox.reserve(this.channel, FRAME_HEADER_BYTES + 8);
    const { bytes } = this.outbox;
    const payload = writeFrameHeader(bytes, at, 8, FrameType.GOAWAY, 0, 0);
    writeU32(bytes, writeU32(bytes, payload, lastStreamId), code);
  }

  settingsAck(): void {
    const at = this.outbox.reserve(this.channel, FRAME_HEADER_BYTES);
    writeFrameHeader(this.outbox.bytes, at, 0, FrameType.SETTINGS, Flag.ACK, 0);
  }

  /** Acknowledges a PING with its own eight bytes. */
  pingAck(opaque: Uint8Array, start: number): void {
    const at = this.outbox.reserve(this.channel, FRAME_HEADER_BYTES + 8);
    const { bytes } = this.outbox;
    const payload = writeFrameHeader(bytes, at, 8, FrameType.PING, Flag.ACK, 0);
    for (let i = 0; i < 8; i++) bytes[payload + i] = opaque[start + i]!;
  }

  /** Copies a whole frame. */
  raw(frame: Uint8Array): void {
    const at = this.outbox.reserve(this.channel, frame.length);
    this.outbox.bytes.set(frame, at);
  }

  private word(type: number, streamId: number, value: number): void {
    const at = this.outbox.reserve(this.channel, FRAME_HEADER_BYTES + 4);
    const { bytes } = this.outbox;
    writeU32(bytes, writeFrameHeader(bytes, at, 4, type, 0, streamId), value);
  }
}
