import { type Libc, requireLibc } from './libc.ts';
import {
  CMSG_HEADER_BYTES,
  CONTROL,
  CONTROL_LENGTH,
  CONTROL_STRIDE,
  HEADER_WORDS,
  IN_PKTINFO_BYTES,
  IN_SPEC_DST,
  IN6_ADDRESS_BYTES,
  IOV,
  IOV_COUNT,
  IOV_WORDS,
  MESSAGE_LENGTH,
  MSG_DONTWAIT,
  MSG_WAITFORONE,
  NAME,
  NAME_LENGTH,
  NAME_STRIDE,
  pointersInto,
  readWord,
} from './mmsg-layout.ts';
import { excludeFromDumps } from './seal.ts';
import {
  AF_INET,
  encodeSocketAddress,
  IP_PKTINFO,
  IPV6_PKTINFO,
  SOCKADDR_BYTES,
  SOL_IP,
  SOL_IPV6,
} from './socket.ts';

/** Slots of packets that are received, answered in place and sent, whatever the engine. */
export interface PacketSlots {
  /** data[i]: bytes of slot i: first the received packet, then the reply. */
  readonly data: readonly Uint8Array[];
  /** Length of the packet received in each slot, in bytes. */
  readonly lengths: Uint32Array;
  /** Length of the reply in each slot, in bytes; 0 sends none. */
  readonly replyLengths: Uint32Array;
  /** IP version: 4 or 6. */
  readonly families: Uint8Array;
  /** Source address: four words a slot in host order; IPv4 uses the first only. */
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
  /** Listener of each slot's packet, as an offset from the batch's first listener. */
  readonly targets: Uint8Array;
  /** Sends the replies of the first `count` slots and releases the slots. */
  send(fd: number, count: number): void;
  /** Copies slot i's source and destination, in the format of PacketBatch.writeEndpoint. */
  readEndpoint(i: number, out: Uint8Array, offset: number): void;
}

/**
 * Slots of packets that are received, answered in place and sent by one system call each way. The kernel keeps pointers
 * into this memory, so it lives in a SharedArrayBuffer, which V8 never moves.
 */
export class PacketBatch implements PacketSlots {
  readonly slots: number;
  readonly slotBytes: number;
  readonly data: readonly Uint8Array[];
  readonly lengths: Uint32Array;
  readonly replyLengths: Uint32Array;
  readonly families: Uint8Array;
  readonly addresses: Uint32Array;
  readonly ports: Uint16Array;
  /** Always 0: a socket has one listener. */
  readonly targets: Uint8Array;

  private readonly libc: Libc = requireLibc();
  private readonly names: Uint8Array;
  private readonly controls: Uint8Array;
  private readonly receiveHeaders: Uint32Array;
  private readonly sendHeaders: Uint32Array;
  /** sendParts[i]: headers from i on, to send the rest of a batch that the kernel took in part. */
  private readonly sendParts: readonly Uint32Array[];
  private readonly iovecs: Uint32Array;
  private readonly namePointers: Uint32Array;
  private readonly iovecPointers: Uint32Array;
  private readonly controlPointers: Uint32Array;
  private readonly packetInfo: boolean;
  /** Slots that hold packets since the last `clear`. */
  private used = 0;

  /**
   * @param slots most packets per call
   * @param slotBytes size of a slot; longer packets are cut
   * @param packetInfo true if the socket reports destination addresses (UdpSocketOptions.packetInfo)
   */
  constructor(slots: number, slotBytes: number, packetInfo: boolean) {
    this.slots = slots;
    this.slotBytes = slotBytes;
    this.packetInfo = packetInfo;
    const shared = (bytes: number) => new SharedArrayBuffer(Math.max(bytes, 128));
    const packets = new Uint8Array(shared(slots * slotBytes));
    excludeFromDumps(packets.buffer);
    this.data = Array.from({ length: slots }, (_, i) => packets.subarray(i * slotBytes, (i + 1) * slotBytes));
    this.lengths = new Uint32Array(slots);
    this.replyLengths = new Uint32Array(slots);
    this.families = new Uint8Array(slots);
    this.addresses = new Uint32Array(slots * 4);
    this.ports = new Uint16Array(slots);
    this.targets = new Uint8Array(slots);
    this.names = new Uint8Array(shared(slots * NAME_STRIDE));
    this.controls = new Uint8Array(shared(slots * CONTROL_STRIDE));
    this.receiveHeaders = new Uint32Array(shared(slots * HEADER_WORDS * 4));
    this.sendHeaders = new Uint32Array(shared(slots * HEADER_WORDS * 4));
    this.sendParts = this.data.map((_, i) => this.sendHeaders.subarray(i * HEADER_WORDS));
    this.iovecs = new Uint32Array(shared(slots * 2 * IOV_WORDS * 4));
    this.namePointers = pointersInto(this.libc, this.names, NAME_STRIDE, slots);
    this.iovecPointers = pointersInto(this.libc, this.iovecs, IOV_WORDS * 4, slots * 2);
    this.controlPointers = pointersInto(this.libc, this.controls, CONTROL_STRIDE, slots);
    this.prepare(pointersInto(this.libc, packets, slotBytes, slots));
  }

  /**
   * Receives waiting packets and their sources.
   * @param waits true to wait for the first one
   * @param limit most packets to receive
   * @returns the number of slots filled; 0 if none waits, after the receive timeout or a signal.
   */
  receive(fd: number, waits: boolean, limit = this.slots): number {
    const flags = waits ? MSG_WAITFORONE : MSG_DONTWAIT;
    const count = this.libc.recvmmsg(fd, this.receiveHeaders, limit, flags, null);
    if (count <= 0) return 0;
    if (count > this.used) this.used = count;
    const headers = this.receiveHeaders;
    for (let i = 0; i < count; i++) {
      const at = i * HEADER_WORDS;
      this.lengths[i] = headers[at + MESSAGE_LENGTH];
      headers[at + NAME_LENGTH] = SOCKADDR_BYTES;
      if (this.packetInfo) this.sendHeaders[at + CONTROL_LENGTH] = headers[at + CONTROL_LENGTH];
      headers[at + CONTROL_LENGTH] = this.packetInfo ? CONTROL_STRIDE : 0;
      this.readSource(i);
    }
    return count;
  }

  /**
   * Sends the replies of the first `count` slots, in order, except those with replyLength 0.
   * @returns the number sent; the rest is dropped, as by a network, and counted in failedSends.
   */
  send(fd: number, count: number): number {
    const headers = this.sendHeaders;
    let messages = 0;
    for (let i = 0; i < count; i++) {
      const length = this.replyLengths[i];
      if (length === 0) continue;
      const at = messages * HEADER_WORDS;
      headers[at + NAME] = this.namePointers[i * 2];
      headers[at + NAME + 1] = this.namePointers[i * 2 + 1];
      headers[at + NAME_LENGTH] = this.families[i] === 4 ? 16 : SOCKADDR_BYTES;
      this.pointPacket(at, i, length);
      if (this.packetInfo) this.pointControl(at, i);
      messages++;
    }
    return this.sendMessages(fd, messages);
  }

  /**
   * Sends the packets received in slots [first, first + count) to the peer of a connected socket.
   * @returns the number sent, as `send` does.
   */
  forward(fd: number, first: number, count: number): number {
    const headers = this.sendHeaders;
    for (let i = 0; i < count; i++) {
      const at = i * HEADER_WORDS;
      headers[at + NAME] = 0;
      headers[at + NAME + 1] = 0;
      headers[at + NAME_LENGTH] = 0;
      headers[at + CONTROL_LENGTH] = 0;
      this.pointPacket(at, first + i, this.lengths[first + i]);
    }
    return this.sendMessages(fd, count);
  }

  /**
   * Sends the packets received in the first `count` slots to one endpoint, which readEndpoint read from a packet of the same
   * socket. Skips slots of length 0.
   * @returns the number sent, as `send` does.
   */
  forwardTo(fd: number, count: number, endpoint: Uint8Array): number {
    const headers = this.sendHeaders;
    this.writeEndpoint(0, endpoint, 0);
    const nameLength = this.families[0] === 4 ? 16 : SOCKADDR_BYTES;
    let messages = 0;
    for (let i = 0; i < count; i++) {
      const length = this.lengths[i];
      if (length === 0) continue;
      const at = messages * HEADER_WORDS;
      headers[at + NAME] = this.namePointers[0];
      headers[at + NAME + 1] = this.namePointers[1];
      headers[at + NAME_LENGTH] = nameLength;
      this.pointPacket(at, i, length);
      if (this.packetInfo) this.pointControl(at, 0);
      messages++;
    }
    return this.sendMessages(fd, messages);
  }

  private pointPacket(header: number, slot: number, length: number): void {
    const iovec = (this.slots + slot) * 2;
    this.sendHeaders[header + IOV] = this.iovecPointers[iovec];
    this.sendHeaders[header + IOV + 1] = this.iovecPointers[iovec + 1];
    this.iovecs[(this.slots + slot) * IOV_WORDS + 2] = length;
  }

  private sendMessages(fd: number, messages: number): number {
    let done = 0;
    let failed = 0;
    while (done < messages) {
      const taken = this.libc.sendmmsg(fd, this.sendParts[done], messages - done, MSG_DONTWAIT);
      // The error belongs to the first unsent message (no route, full buffer): drop that one.
      done += taken > 0 ? taken : 1;
      if (taken <= 0) failed++;
    }
    this.failedSends += failed;
    return messages - failed;
  }

  /** Messages that the kernel refused to send since the batch was made. */
  failedSends = 0;

  /** Copies slot i's source and destination, so that another thread can reply. */
  readEndpoint(i: number, out: Uint8Array, offset: number): void {
    for (let k = 0; k < NAME_STRIDE; k++) out[offset + k] = this.names[i * NAME_STRIDE + k];
    const control = offset + NAME_STRIDE;
    for (let k = 0; k < CONTROL_STRIDE; k++) out[control + k] = this.controls[i * CONTROL_STRIDE + k];
    out[control + CONTROL_STRIDE] = this.families[i];
  }

  /** Sets the destination of slot i's reply, as read by readEndpoint from a batch of the same socket. */
  writeEndpoint(i: number, endpoint: Uint8Array, offset: number): void {
    for (let k = 0; k < NAME_STRIDE; k++) this.names[i * NAME_STRIDE + k] = endpoint[offset + k];
    const control = offset + NAME_STRIDE;
    for (let k = 0; k < CONTROL_STRIDE; k++) this.controls[i * CONTROL_STRIDE + k] = endpoint[control + k];
    this.families[i] = endpoint[control + CONTROL_STRIDE];
    if (i >= this.used) this.used = i + 1;
  }

  /**
   * Sets the destination of slot i, for packets that are not replies. In a batch with packetInfo the kernel chooses the
   * source address until setSource sets one.
   * @param address network order, 4 or 16 bytes
   */
  setDestination(i: number, family: 4 | 6, address: Uint8Array, port: number): void {
    const at = i * NAME_STRIDE;
    this.names.fill(0, at, at + NAME_STRIDE);
    this.names.set(encodeSocketAddress(family, address, port), at);
    this.families[i] = family;
    const control = i * CONTROL_STRIDE;
    this.controls.fill(0, control, control + CONTROL_STRIDE);
    const payload = family === 4 ? IN_PKTINFO_BYTES : IN6_ADDRESS_BYTES + 4;
    this.controls[control] = CMSG_HEADER_BYTES + payload;
    this.controls[control + 8] = family === 4 ? SOL_IP : SOL_IPV6;
    this.controls[control + 12] = family === 4 ? IP_PKTINFO : IPV6_PKTINFO;
  }

  /**
   * Sets the source address of slot i's packet (ip(7): ipi_spec_dst; RFC 3542 6.2: ipi6_addr). Call after setDestination, in
   * a batch with packetInfo. One wildcard socket can thus send from each address of 127.0.0.0/8. A packet from a foreign
   * address counts in failedSends.
   * @param address holds 4 or 16 bytes at `offset`, by the destination's family
   */
  setSource(i: number, address: Uint8Array, offset: number): void {
    const ipv4 = this.families[i] === 4;
    const at = i * CONTROL_STRIDE + (ipv4 ? IN_SPEC_DST : CMSG_HEADER_BYTES);
    const bytes = ipv4 ? 4 : IN6_ADDRESS_BYTES;
    for (let k = 0; k < bytes; k++) this.controls[at + k] = address[offset + k];
  }

  /** True if slot i's packet was sent to `address` (bytes at `offset`). Needs a batch with packetInfo. */
  wasSentTo(i: number, address: Uint8Array, offset: number): boolean {
    const ipv4 = this.families[i] === 4;
    const at = i * CONTROL_STRIDE + (ipv4 ? IN_SPEC_DST : CMSG_HEADER_BYTES);
    const bytes = ipv4 ? 4 : IN6_ADDRESS_BYTES;
    for (let k = 0; k < bytes; k++) if (this.controls[at + k] !== address[offset + k]) return false;
    return true;
  }

  /** Zeroes what packets have left, so that no name stays beside an address in memory. For idle moments. */
  clear(): void {
    const { used, names, controls, addresses } = this;
    if (used === 0) return;
    this.used = 0;
    for (let i = 0; i < used; i++) this.data[i].fill(0);
    names.fill(0, 0, used * NAME_STRIDE);
    controls.fill(0, 0, used * CONTROL_STRIDE);
    addresses.fill(0, 0, used * 4);
  }

  private readSource(i: number): void {
    const names = this.names;
    const at = i * NAME_STRIDE;
    this.ports[i] = (names[at + 2] << 8) | names[at + 3];
    if (names[at] === AF_INET) {
      this.families[i] = 4;
      this.addresses[i * 4] = readWord(names, at + 4);
      return;
    }
    this.families[i] = 6;
    for (let word = 0; word < 4; word++) {
      this.addresses[i * 4 + word] = readWord(names, at + 8 + word * 4);
    }
  }

  /**
   * Turns the received control message, which holds the packet's destination, into one that sets the reply's source:
   * ipi_spec_dst or ipi6_addr. Clears the interface index, so that the route or a link-local zone decides.
   */
  private pointControl(header: number, slot: number): void {
    const headers = this.sendHeaders;
    const ipv4 = this.families[slot] === 4;
    headers[header + CONTROL] = this.controlPointers[slot * 2];
    headers[header + CONTROL + 1] = this.controlPointers[slot * 2 + 1];
    headers[header + CONTROL_LENGTH] = ipv4 ? CMSG_HEADER_BYTES + IN_PKTINFO_BYTES + 4 : CONTROL_STRIDE;
    const index = slot * CONTROL_STRIDE + CMSG_HEADER_BYTES + (ipv4 ? 0 : IN6_ADDRESS_BYTES);
    for (let k = 0; k < 4; k++) this.controls[index + k] = 0;
  }

  private prepare(dataPointers: Uint32Array): void {
    for (let i = 0; i < this.slots * 2; i++) {
      const slot = i % this.slots;
      this.iovecs[i * IOV_WORDS] = dataPointers[slot * 2];
      this.iovecs[i * IOV_WORDS + 1] = dataPointers[slot * 2 + 1];
      this.iovecs[i * IOV_WORDS + 2] = this.slotBytes;
    }
    for (let i = 0; i < this.slots; i++) {
      const at = i * HEADER_WORDS;
      const headers = this.receiveHeaders;
      headers[at + NAME] = this.namePointers[i * 2];
      headers[at + NAME + 1] = this.namePointers[i * 2 + 1];
      headers[at + NAME_LENGTH] = SOCKADDR_BYTES;
      headers[at + IOV] = this.iovecPointers[i * 2];
      headers[at + IOV + 1] = this.iovecPointers[i * 2 + 1];
      headers[at + IOV_COUNT] = 1;
      this.sendHeaders[at + IOV_COUNT] = 1;
      if (!this.packetInfo) continue;
      headers[at + CONTROL] = this.controlPointers[i * 2];
      headers[at + CONTROL + 1] = this.controlPointers[i * 2 + 1];
      headers[at + CONTROL_LENGTH] = CONTROL_STRIDE;
    }
  }
}
