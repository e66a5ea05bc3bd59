import { parseAddress } from '../../../src/net/index.ts';
import type { XdpTarget } from '../../../src/sys/xdp/index.ts';

export const CLIENT_MAC = Buffer.from('0200000000c1', 'hex');
export const SERVER_MAC = Buffer.from('0200000000a1', 'hex');

/** A UDP packet in an Ethernet frame, as clients send it. */
export interface FrameFields {
  readonly from?: string;
  readonly to?: string;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly payload?: Uint8Array;
  readonly sourceMac?: Uint8Array;
  readonly mac?: Uint8Array;
  /** UDP checksum: correct, absent, left to hardware (pseudo-header only), or wrong. */
  readonly checksum?: 'full' | 'none' | 'partial' | 'wrong';
  /** Padding behind the packet, as Ethernet pads short ones. */
  readonly padding?: number;
}

const DEFAULTS = {
  from: '198.51.100.7',
  to: '192.0.2.53',
  sourcePort: 40_000,
  port: 53,
  payload: Buffer.from('payload'),
  sourceMac: CLIENT_MAC,
  mac: SERVER_MAC,
  checksum: 'full',
  padding: 0,
} as const;

export function frame(fields: FrameFields = {}): Buffer {
  const all = { ...DEFAULTS, ...fields };
  const from = parseAddress(all.from)!;
  const to = parseAddress(all.to)!;
  const udp = Buffer.alloc(8 + all.payload.length);
  udp.writeUInt16BE(all.sourcePort, 0);
  udp.writeUInt16BE(all.port, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(all.payload, 8);
  const pseudo = pseudoHeader(from.bytes, to.bytes, udp.length);
  if (all.checksum === 'partial') udp.writeUInt16BE(sumOf(pseudo), 6);
  else if (all.checksum !== 'none') {
    const right = ~sumOf(Buffer.concat([pseudo, udp])) & 0xffff || 0xffff;
    udp.writeUInt16BE(all.checksum === 'full' ? right : right ^ 0x0101, 6);
  }
  const ip =
    from.family === 4 ? header4(from.bytes, to.bytes, udp.length) : header6(from.bytes, to.bytes, udp.length);
  const type = Buffer.from(from.family === 4 ? '0800' : '86dd', 'hex');
  return Buffer.concat([all.mac, all.sourceMac, type, ip, udp, Buffer.alloc(all.padding)]);
}

function header4(from: Uint8Array, to: Uint8Array, payload: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x4500, 0);
  header.writeUInt16BE(20 + payload, 2);
  header.writeUInt16BE(0x1234, 4);
  header[8] = 61;
  header[9] = 17;
  header.set(from, 12);
  header.set(to, 16);
  return sealHeader(header);
}

/** Writes an IPv4 header's checksum. */
export function sealHeader(header: Buffer): Buffer {
  header.writeUInt16BE(0, 10);
  header.writeUInt16BE(~sumOf(header) & 0xffff, 10);
  return header;
}

function header6(from: Uint8Array, to: Uint8Array, payload: number): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32BE(0x6001_2345, 0);
  header.writeUInt16BE(payload, 4);
  header[6] = 17;
  header[7] = 61;
  header.set(from, 8);
  header.set(to, 24);
  return header;
}

export function pseudoHeader(from: Uint8Array, to: Uint8Array, length: number): Buffer {
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(length, 0);
  tail.writeUInt16BE(17, 2);
  return Buffer.concat([from, to, tail]);
}

/** RFC 1071: the one's complement sum of 16-bit words in network order. */
export function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return sum;
}

/** A packet as its receiver reads it. Throws on a wrong checksum or length. */
export interface ReadFrame {
  readonly mac: string;
  readonly sourceMac: string;
  readonly from: Buffer;
  readonly to: Buffer;
  readonly sourcePort: number;
  readonly port: number;
  readonly hops: number;
  readonly dontFragment: boolean;
  readonly payload: Buffer;
}

export function readFrame(bytes: Uint8Array): ReadFrame {
  const at = Buffer.from(bytes);
  const ipv4 = at.readUInt16BE(12) === 0x0800;
  const ip = at.subarray(14);
  const udpAt = ipv4 ? 20 : 40;
  const total = ipv4 ? ip.readUInt16BE(2) : 40 + ip.readUInt16BE(4);
  if (total > ip.length) throw new Error('cut');
  if (ip[0]! >> 4 !== (ipv4 ? 4 : 6) || ip[ipv4 ? 9 : 6] !== 17) throw new Error('no UDP');
  if (ipv4 && sumOf(ip.subarray(0, 20)) !== 0xffff) throw new Error('checksum of the header');
  const from = ip.subarray(ipv4 ? 12 : 8, ipv4 ? 16 : 24);
  const to = ip.subarray(ipv4 ? 16 : 24, ipv4 ? 20 : 40);
  const udp = ip.subarray(udpAt, total);
  if (udp.readUInt16BE(4) !== udp.length) throw new Error('length of UDP');
  if (udp.readUInt16BE(6) === 0) throw new Error('no checksum');
  if (sumOf(Buffer.concat([pseudoHeader(from, to, udp.length), udp])) !== 0xffff) throw new Error('checksum');
  return {
    mac: at.toString('hex', 0, 6),
    sourceMac: at.toString('hex', 6, 12),
    from,
    to,
    sourcePort: udp.readUInt16BE(0),
    port: udp.readUInt16BE(2),
    hops: ip[ipv4 ? 8 : 7]!,
    dontFragment: !ipv4 || ip.readUInt16BE(6) === 0x4000,
    payload: udp.subarray(8),
  };
}

export function target(text: string, port = 53, listener = 0): XdpTarget {
  const { family, bytes } = parseAddress(text)!;
  return { family, address: bytes, port, listener };
}
