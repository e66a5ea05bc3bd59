import { type Libc, requireLibc } from '../libc.ts';
import { encodeEndpoint } from '../mmsg-layout.ts';
import type { PacketSlots } from '../packet-batch.ts';
import { XdpError } from './errors.ts';
import { Frames, FrameVerdict, PAYLOAD_OFFSET_4, PAYLOAD_OFFSET_6, type XdpTarget } from './frame.ts';
import { XdpRing } from './ring.ts';
import { FRAME_HEADROOM_BYTES, FRAME_PLACE_BYTES, type XdpSocketHandle } from './socket.ts';

const SOL_SOCKET = 1;
const SO_ERROR = 4;
const MSG_DONTWAIT = 0x40;
/** An address and a length, of 8 and 4 bytes, and 4 of options; an address alone. */
const DESCRIPTOR_WORDS = 4;
const ADDRESS_WORDS = 2;
/** Calls that are made at the most to send what is there: a device that takes nothing gets it with the next batch. */
const SEND_ATTEMPTS = 8;

/** Of frames, besides FrameVerdict: an answer for which the send ring had no room. */
export const FRAME_UNSENT = 5;
/** Numbers that a batch counts frames by: those of FrameVerdict, and FRAME_UNSENT. */
export const FRAME_RESULTS = 6;

/**
 * Packets of one queue of a network interface, received, answered in place and sent by rings in memory that is shared
 * with the kernel (Documentation/networking/af_xdp.rst). It has the shape of a PacketBatch, with which sockets do
 * the same. Of a frame that is received only what Frames takes is given a slot.
 */
export class FrameBatch implements PacketSlots {
  readonly slots: number;
  readonly data: Uint8Array[];
  readonly lengths: Uint32Array;
  readonly replyLengths: Uint32Array;
  readonly families: Uint8Array;
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
  readonly targets: Uint8Array;

  private readonly libc: Libc = requireLibc();
  private readonly bytes: Uint8Array;
  private readonly frames: Frames;
  private readonly receiveRing: XdpRing;
  private readonly sendRing: XdpRing;
  private readonly fillRing: XdpRing;
  private readonly completionRing: XdpRing;
  private readonly handle: XdpSocketHandle;
  private readonly tally: Float64Array;
  private readonly error = new Uint8Array(4);
  private readonly errorLength = Uint32Array.of(4);
  /** Which frame each slot has. */
  private readonly held: Int32Array;
  /** The payloads of all frames, for each family. */
  private readonly payloads4: readonly Uint8Array[];
  private readonly payloads6: readonly Uint8Array[];

  /** @param tally counts frames, FRAME_RESULTS numbers */
  constructor(handle: XdpSocketHandle, targets: readonly XdpTarget[], slots: number, tally: Float64Array) {
    const memory = this.libc.bufferAt(handle.memory.address, handle.memory.bytes);
    this.handle = handle;
    this.tally = tally;
    this.slots = slots;
    this.bytes = new Uint8Array(memory);
    this.frames = new Frames(memory, targets);
    this.receiveRing = new XdpRing(handle.receive, 'consumer');
    this.sendRing = new XdpRing(handle.send, 'producer');
    this.fillRing = new XdpRing(handle.fill, 'producer');
    this.completionRing = new XdpRing(handle.completion, 'consumer');
    const payloads = (offset: number) =>
      Array.from({ length: handle.frames }, (_, frame) => {
        const begin = FRAME_HEADROOM_BYTES + offset;
        return new Uint8Array(memory, frame * FRAME_PLACE_BYTES + begin, FRAME_PLACE_BYTES - begin);
      });
    this.payloads4 = payloads(PAYLOAD_OFFSET_4);
    this.payloads6 = payloads(PAYLOAD_OFFSET_6);
    this.data = this.payloads4.slice(0, slots);
    this.lengths = new Uint32Array(slots);
    this.replyLengths = new Uint32Array(slots);
    this.families = new Uint8Array(slots);
    this.addresses = new Uint32Array(slots * 4);
    this.ports = new Uint16Array(slots);
    this.targets = new Uint8Array(slots);
    this.held = new Int32Array(slots);
  }

  get fd(): number {
    return this.handle.fd;
  }

  /** Whether frames wait that receive would take. */
  hasFrames(): boolean {
    return this.receiveRing.filled() !== 0;
  }

  /**
   * Takes the frames that are there, as many as there are slots, without waiting. Those of the batch before must have
   * been sent or let go, by `send`.
   * @returns how many slots are filled; 0 also where all that came was dropped.
   */
  receive(): number {
    this.reclaim();
    const ring = this.receiveRing;
    const waiting = ring.filled();
    const count = waiting < this.slots ? waiting : this.slots;
    let slot = 0;
    for (let i = 0; i < count; i++) {
      const at = ring.descriptors + (ring.own & ring.mask) * DESCRIPTOR_WORDS;
      ring.own = (ring.own + 1) | 0;
      slot += this.take(slot, ring.words[at], ring.words[at + 2]);
    }
    if (count > 0) ring.publish();
    if (slot < count) this.offer();
    return slot;
  }

  /** Hands the answers of the first `count` slots to the kernel; those whose replyLength is 0 are let go. */
  send(_fd: number, count: number): void {
    const ring = this.sendRing;
    let room = ring.room();
    let released = 0;
    let sent = 0;
    for (let i = 0; i < count; i++) {
      const frame = this.held[i];
      const reply = this.replyLengths[i];
      if (reply === 0 || room === 0) {
        if (reply !== 0) this.tally[FRAME_UNSENT]++;
        this.release(frame);
        released++;
        continue;
      }
      const begin = frame * FRAME_PLACE_BYTES + FRAME_HEADROOM_BYTES;
      const at = ring.descriptors + (ring.own & ring.mask) * DESCRIPTOR_WORDS;
      ring.words[at] = begin;
      ring.words[at + 1] = 0;
      ring.words[at + 2] = this.frames.turn(begin, reply);
      ring.words[at + 3] = 0;
      ring.own = (ring.own + 1) | 0;
      room--;
      sent++;
    }
    if (sent > 0) ring.publish();
    if (released > 0) this.offer();
  }

  /**
   * Sees to it that what was handed over leaves. @param waits whether poll(2) follows, which sends as well
   * @returns answers that are still in the ring
   */
  flush(waits: boolean): number {
    const { sendRing, handle, libc } = this;
    for (let attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
      const pending = sendRing.pending();
      if (pending === 0 || !sendRing.needsWakeup()) return pending;
      if (waits && pending <= handle.sendBudget) return pending;
      // EAGAIN: there was more than it sends at a time; other errors pass, and the next call tries again.
      libc.send(handle.fd, 0, 0, MSG_DONTWAIT);
      // The device itself sends: it has been woken.
      if (handle.zeroCopy) return sendRing.pending();
    }
    return sendRing.pending();
  }

  /** Lets the device go on where it waits for frames and no poll(2) follows. */
  wake(): void {
    if (this.fillRing.needsWakeup()) this.libc.recv(this.handle.fd, 0, 0, MSG_DONTWAIT);
  }

  /** @throws XdpError where the interface is gone. */
  checkDevice(): void {
    this.libc.getsockopt(this.handle.fd, SOL_SOCKET, SO_ERROR, this.error, this.errorLength);
    for (const octet of this.error) if (octet !== 0) throw new XdpError('the network interface is gone');
  }

  /** Copies where slot i's packet came from and was sent to, as PacketBatch.writeEndpoint takes it. */
  readEndpoint(i: number, out: Uint8Array, offset: number): void {
    const ip = this.held[i] * FRAME_PLACE_BYTES + FRAME_HEADROOM_BYTES + 14;
    const { interfaceIndex } = this.handle;
    if (this.families[i] === 4) {
      encodeEndpoint(out, offset, 4, this.bytes, ip + 12, ip + 16, this.ports[i], interfaceIndex);
    } else {
      encodeEndpoint(out, offset, 6, this.bytes, ip + 8, ip + 24, this.ports[i], interfaceIndex);
    }
  }

  /** @returns 1 where the frame has got the slot, 0 where it is none for us. */
  private take(slot: number, address: number, length: number): number {
    const frame = (address / FRAME_PLACE_BYTES) | 0;
    const begin = frame * FRAME_PLACE_BYTES + FRAME_HEADROOM_BYTES;
    if (address !== begin) this.bytes.copyWithin(begin, address, address + length);
    const { frames } = this;
    const verdict = frames.read(begin, length);
    this.tally[verdict]++;
    if (verdict !== FrameVerdict.TAKEN) {
      this.release(frame);
      return 0;
    }
    const ipv4 = frames.family === 4;
    this.held[slot] = frame;
    this.data[slot] = ipv4 ? this.payloads4[frame] : this.payloads6[frame];
    this.lengths[slot] = frames.payloadBytes;
    this.families[slot] = frames.family;
    const words = ipv4 ? 1 : 4;
    for (let k = 0; k < words; k++) this.addresses[slot * 4 + k] = frames.source[k];
    this.ports[slot] = frames.sourcePort;
    this.targets[slot] = frames.listener;
    return 1;
  }

  /** Gives the frames of answers that have left back to the kernel. */
  private reclaim(): void {
    const ring = this.completionRing;
    const count = ring.filled();
    if (count === 0) return;
    for (let i = 0; i < count; i++) {
      const at = ring.descriptors + (ring.own & ring.mask) * ADDRESS_WORDS;
      ring.own = (ring.own + 1) | 0;
      this.release((ring.words[at] / FRAME_PLACE_BYTES) | 0);
    }
    ring.publish();
    this.offer();
  }

  /** There is room: the fill ring has as many entries as there are frames. */
  private release(frame: number): void {
    const ring = this.fillRing;
    const at = ring.descriptors + (ring.own & ring.mask) * ADDRESS_WORDS;
    ring.words[at] = frame * FRAME_PLACE_BYTES;
    ring.words[at + 1] = 0;
    ring.own = (ring.own + 1) | 0;
  }

  private offer(): void {
    this.fillRing.publish();
  }
}
