/**
 * DNS over UDP in Ethernet frames, read and answered in place:
 *
 *   0 destination  6 source  12 type                                                       (Ethernet)
 *   14 version, length  16 total  18 id  20 flags, fragment  22 TTL  23 protocol  24 checksum
 *      26 source  30 destination                                                           (IPv4, RFC 791)
 *   14 version ...  18 payload's length  20 next header  21 hop limit  22 source  38 destination   (RFC 8200)
 *   then source port, destination port, length, checksum                                   (UDP, RFC 768)
 *
 * Checksums add 16-bit words in this machine's little-endian order: the sum of swapped words is the swapped sum (RFC 1071,
 * 2 B).
 */
const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const UDP_BYTES = 8;
/** Offset of the payload within a frame. */
export const PAYLOAD_OFFSET_4 = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
export const PAYLOAD_OFFSET_6 = ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES;
/** Ethernet's minimum without the check sequence. We pad ourselves, because not all hardware does. */
const LEAST_FRAME_BYTES = 60;

const UDP = 17;
/* Words as this machine reads them. */
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
const UDP_WORD = UDP << 8;
/** Version 4, five words of header, no service class. */
const VERSION_4 = 0x0045;
const DONT_FRAGMENT = 0x0040;
/** All bits of the fragment word except DF: more fragments, offset, reserved. */
const FRAGMENT = 0xffbf;
/** TTL 64, protocol UDP. */
const TTL_UDP = (UDP << 8) | 64;
const VERSION_6 = 0x0060;
/** Next header UDP, hop limit 64. */
const UDP_HOPS = (64 << 8) | UDP;

/** Classification of a received frame. */
export const FrameVerdict = {
  /** A packet for one of our listeners. */
  TAKEN: 0,
  /** Contradictory lengths or fields. */
  MALFORMED: 1,
  /** Wrong checksum. */
  CHECKSUM: 2,
  /** Impossible source address. */
  SPOOFED: 3,
  /** Not for one of our listeners. */
  STRAY: 4,
} as const;
export type FrameVerdict = (typeof FrameVerdict)[keyof typeof FrameVerdict];

/** A listener's address and port. */
export interface XdpTarget {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  /** Listener number given by the caller, 0 to 255. */
  readonly listener: number;
}

const TARGET_WORDS = 10;
const TARGET_FAMILY = 0;
const TARGET_PORT = 1;
const TARGET_ADDRESS = 2;

/** Reads frames in memory and turns them into replies in place. Frames start at even offsets. */
export class Frames {
  /** IP version of the last frame read: 4 or 6. */
  family = 4;
  sourcePort = 0;
  listener = 0;
  payloadAt = 0;
  payloadBytes = 0;
  /** Its source in host order; IPv4 uses the first word only. */
  readonly source = new Uint32Array(4);

  private readonly bytes: Uint8Array;
  private readonly words: Uint16Array;
  /** Targets: family, port and address, as words in this machine's order. */
  private readonly targets: Uint16Array;
  private readonly listeners: Uint8Array;

  constructor(memory: ArrayBufferLike, targets: readonly XdpTarget[]) {
    this.bytes = new Uint8Array(memory);
    this.words = new Uint16Array(memory);
    this.listeners = Uint8Array.from(targets, ({ listener }) => listener);
    this.targets = new Uint16Array(targets.length * TARGET_WORDS);
    for (const [i, { family, address, port }] of targets.entries()) {
      const at = i * TARGET_WORDS;
      this.targets[at + TARGET_FAMILY] = family;
      this.targets[at + TARGET_PORT] = swap(port);
      this.targets.set(new Uint16Array(Uint8Array.from(address).buffer), at + TARGET_ADDRESS);
    }
  }

  /**
   * Classifies and reads a frame, with the checks that the kernel makes before delivering to a socket.
   * @param at offset of the frame @param length its length in bytes, padding included
   */
  read(at: number, length: number): FrameVerdict {
    if (length < PAYLOAD_OFFSET_4) return FrameVerdict.MALFORMED;
    // A multicast address is never a source.
    if ((this.bytes[at + 6] & 1) !== 0) return FrameVerdict.SPOOFED;
    const type = this.words[(at + 12) >> 1];
    if (type === TYPE_IPV4) return this.read4(at, length);
    if (type === TYPE_IPV6) return this.read6(at, length);
    return FrameVerdict.MALFORMED;
  }

  /**
   * Turns the frame read at `at` into the reply that carries `payload` bytes, already written over the query: source
   * and destination change places at each layer.
   * @returns the length of the frame in bytes
   */
  turn(at: number, payload: number): number {
    const { words } = this;
    swapWords(words, at >> 1, 3);
    const ipv4 = words[(at + 12) >> 1] === TYPE_IPV4;
    const udp = at + (ipv4 ? PAYLOAD_OFFSET_4 : PAYLOAD_OFFSET_6) - UDP_BYTES;
    const udpBytes = payload + UDP_BYTES;
    if (ipv4) this.turn4((at + ETHERNET_BYTES) >> 1, udpBytes + IPV4_BYTES);
    else this.turn6((at + ETHERNET_BYTES) >> 1, udpBytes);
    const ports = udp >> 1;
    swapWords(words, ports, 1);
    words[ports + 2] = swap(udpBytes);
    words[ports + 3] = 0;
    const sum = ~fold(this.sum(udp, udpBytes, this.pseudoHeader(at, ipv4, udpBytes))) & 0xffff;
    // RFC 768: zero means no checksum; 0xffff is the equivalent sum.
    words[ports + 3] = sum === 0 ? 0xffff : sum;
    return this.pad(at, udp - at + udpBytes);
  }

  private read4(at: number, length: number): FrameVerdict {
    const { bytes, words } = this;
    const ip = (at + ETHERNET_BYTES) >> 1;
    const total = swap(words[ip + 1]);
    if (bytes[at + 14] !== 0x45 || bytes[at + 23] !== UDP) return FrameVerdict.MALFORMED;
    if (total < IPV4_BYTES + UDP_BYTES || total > length - ETHERNET_BYTES) return FrameVerdict.MALFORMED;
    if ((words[ip + 3] & FRAGMENT) !== 0) return FrameVerdict.MALFORMED;
    if (fold(this.sum(at + ETHERNET_BYTES, IPV4_BYTES, 0)) !== 0xffff) return FrameVerdict.CHECKSUM;
    const target = this.target(4, (at + 30) >> 1, 2, words[(at + 36) >> 1]);
    if (target < 0) return FrameVerdict.STRAY;
    if (this.isForged4(at + 26)) return FrameVerdict.SPOOFED;
    this.family = 4;
    this.source[0] = wordAt(bytes, at + 26);
    return this.readUdp(at, at + 34, total - IPV4_BYTES, true, target);
  }

  private read6(at: number, length: number): FrameVerdict {
    const { bytes, words } = this;
    if (length < PAYLOAD_OFFSET_6) return FrameVerdict.MALFORMED;
    const ip = (at + ETHERNET_BYTES) >> 1;
    const rest = swap(words[ip + 2]);
    if (bytes[at + 14] >> 4 !== 6 || bytes[at + 20] !== UDP) return FrameVerdict.MALFORMED;
    if (rest < UDP_BYTES || rest > length - ETHERNET_BYTES - IPV6_BYTES) return FrameVerdict.MALFORMED;
    const target = this.target(6, (at + 38) >> 1, 8, words[(at + 56) >> 1]);
    if (target < 0) return FrameVerdict.STRAY;
    for (let i = 0; i < 4; i++) this.source[i] = wordAt(bytes, at + 22 + i * 4);
    if (this.isForged6(at + 22)) return FrameVerdict.SPOOFED;
    this.family = 6;
    return this.readUdp(at, at + 54, rest, false, target);
  }

  private readUdp(at: number, udp: number, room: number, ipv4: boolean, target: number): FrameVerdict {
    const { words } = this;
    const header = udp >> 1;
    const udpBytes = swap(words[header + 2]);
    if (udpBytes < UDP_BYTES || udpBytes > room) return FrameVerdict.MALFORMED;
    const checksum = words[header + 3];
    if (checksum === 0) {
      // RFC 8200, 8.1: IPv6 requires a checksum.
      if (!ipv4) return FrameVerdict.CHECKSUM;
    } else {
      const pseudo = this.pseudoHeader(at, ipv4, udpBytes);
      // Checksum offload of a local peer (veth, virtio): the field holds the pseudo-header's sum only, and the packet was
      // never on a wire.
      if (checksum !== fold(pseudo) && fold(this.sum(udp, udpBytes, pseudo)) !== 0xffff) {
        return FrameVerdict.CHECKSUM;
      }
    }
    this.sourcePort = swap(words[header]);
    this.listener = this.listeners[target];
    this.payloadAt = udp + UDP_BYTES;
    this.payloadBytes = udpBytes - UDP_BYTES;
    return FrameVerdict.TAKEN;
  }

  /** @returns the target's index, or -1. */
  private target(family: number, address: number, addressWords: number, port: number): number {
    const { words, targets } = this;
    for (let at = 0, i = 0; at < targets.length; at += TARGET_WORDS, i++) {
      if (targets[at + TARGET_FAMILY] !== family || targets[at + TARGET_PORT] !== port) continue;
      let k = 0;
      while (k < addressWords && targets[at + TARGET_ADDRESS + k] === words[address + k]) k++;
      if (k === addressWords) return i;
    }
    return -1;
  }

  /** Rejects "this network", loopback, multicast, broadcast (RFC 1122, 3.2.1.3) and the destination itself. */
  private isForged4(source: number): boolean {
    const { bytes, words } = this;
    const first = bytes[source];
    if (first === 0 || first === 127 || first >> 4 === 14) return true;
    const w = source >> 1;
    if (words[w] === 0xffff && words[w + 1] === 0xffff) return true;
    return words[w] === words[w + 2] && words[w + 1] === words[w + 3];
  }

  /** Rejects multicast, unspecified, loopback, IPv4-mapped (RFC 4291) and the destination itself. */
  private isForged6(at: number): boolean {
    const { source, words } = this;
    if (source[0] >>> 24 === 0xff) return true;
    if (source[0] === 0 && source[1] === 0 && (source[2] === 0 || source[2] === 0xffff)) return true;
    const w = at >> 1;
    let k = 0;
    while (k < 8 && words[w + k] === words[w + 8 + k]) k++;
    return k === 8;
  }

  private turn4(ip: number, total: number): void {
    const { words } = this;
    words[ip] = VERSION_4;
    words[ip + 1] = swap(total);
    // RFC 6864, 4.1: an atomic datagram needs no ID.
    words[ip + 2] = 0;
    words[ip + 3] = DONT_FRAGMENT;
    words[ip + 4] = TTL_UDP;
    words[ip + 5] = 0;
    swapWords(words, ip + 6, 2);
    words[ip + 5] = ~fold(this.sum(ip << 1, IPV4_BYTES, 0)) & 0xffff;
  }

  private turn6(ip: number, payload: number): void {
    const { words } = this;
    words[ip] = VERSION_6;
    words[ip + 1] = 0;
    words[ip + 2] = swap(payload);
    words[ip + 3] = UDP_HOPS;
    swapWords(words, ip + 4, 8);
  }

  /** Sums the pseudo-header of UDP's checksum: both addresses, the protocol, the length. */
  private pseudoHeader(at: number, ipv4: boolean, udpBytes: number): number {
    return ipv4
      ? this.sum(at + 26, 8, UDP_WORD + swap(udpBytes))
      : this.sum(at + 22, 32, UDP_WORD + swap(udpBytes));
  }

  /** Adds bytes at an even offset to a sum. */
  private sum(at: number, length: number, sum: number): number {
    const { words } = this;
    const end = (at + length) >> 1;
    let total = sum;
    for (let w = at >> 1; w < end; w++) total += words[w];
    return (length & 1) === 0 ? total : total + this.bytes[at + length - 1];
  }

  private pad(at: number, length: number): number {
    for (let end = length; end < LEAST_FRAME_BYTES; end++) this.bytes[at + end] = 0;
    return length < LEAST_FRAME_BYTES ? LEAST_FRAME_BYTES : length;
  }
}

function swapWords(words: Uint16Array, at: number, count: number): void {
  for (let k = at; k < at + count; k++) {
    const word = words[k];
    words[k] = words[k + count];
    words[k + count] = word;
  }
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}

/** Folds a sum to a 16-bit one's complement. */
function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}
