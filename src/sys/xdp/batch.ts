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
/** struct xdp_desc: 8 bytes of address, 4 of length, 4 of options. Fill and completion entries: an address only. */
const DESCRIPTOR_WORDS = 4;
const ADDRESS_WORDS = 2;
/** Most send calls per batch. A stalled device gets the rest with the next batch. */
const SEND_ATTEMPTS = 8;

/** Result besides FrameVerdict: a reply that found the send ring full. */
export const FRAME_UNSENT = 5;
/** Number of results that a batch counts: FrameVerdict and FRAME_UNSENT. */
export const FRAME_RESULTS = 6;

/**
 * Packets of one queue of a network interface, received, answered in place and sent through rings shared with the kernel
 * (Documentation/networking/af_xdp.rst). The same interface as PacketBatch has for sockets. Only frames that Frames accepts
 * get a slot.
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
  /** Frame of each slot. */
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

  /** True if frames wait to be received. */
  hasFrames(): boolean {
    return this.receiveRing.filled() !== 0;
  }

  /**
   * Receives waiting frames, at most one per slot, without blocking. Call `send` first for the batch before.
   * @returns the number of slots filled; 0 also if all frames were dropped.
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

  /** Passes the replies of the first `count` slots to the kernel and releases slots with replyLength 0. */
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
   * Makes the kernel send. @param waits true if poll(2) follows, which sends as well
   * @returns the number of replies still in the ring
   */
  flush(waits: boolean): number {
    const { sendRing, handle, libc } = this;
    for (let attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
      const pending = sendRing.pending();
      if (pending === 0 || !sendRing.needsWakeup()) return pending;
      if (waits && pending <= handle.sendBudget) return pending;
      // EAGAIN: more than it sends at a time. Other errors are temporary; the next call tries again.
      libc.send(handle.fd, 0, 0, MSG_DONTWAIT);
      // Zero-copy: the device sends by itself once woken.
      if (handle.zeroCopy) return sendRing.pending();
    }
    return sendRing.pending();
  }

  /** Wakes a device that waits for free frames, if no poll(2) follows. */
  wake(): void {
    if (this.fillRing.needsWakeup()) this.libc.recv(this.handle.fd, 0, 0, MSG_DONTWAIT);
  }

  /** @throws XdpError if the interface is gone. */
  checkDevice(): void {
    this.libc.getsockopt(this.handle.fd, SOL_SOCKET, SO_ERROR, this.error, this.errorLength);
    for (const byte of this.error) if (byte !== 0) throw new XdpError('the network interface is gone');
  }

  /** Copies slot i's source and destination, in the format of PacketBatch.writeEndpoint. */
  readEndpoint(i: number, out: Uint8Array, offset: number): void {
    const ip = this.held[i] * FRAME_PLACE_BYTES + FRAME_HEADROOM_BYTES + 14;
    const { interfaceIndex } = this.handle;
    if (this.families[i] === 4) {
      encodeEndpoint(out, offset, 4, this.bytes, ip + 12, ip + 16, this.ports[i], interfaceIndex);
    } else {
      encodeEndpoint(out, offset, 6, this.bytes, ip + 8, ip + 24, this.ports[i], interfaceIndex);
    }
  }

  /** @returns 1 if the frame took the slot, 0 if it is not for us. */
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

  /** Returns the frames of sent replies to the kernel. */
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

  /** Never overflows: the fill ring has as many entries as there are frames. */
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
