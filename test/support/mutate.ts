import { encodeQuery } from './dns-client.ts';

/** A small generator of numbers (mulberry32) that gives the same ones for a seed. */
export class Chance {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A whole number of [0, below). */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(length: number): Buffer {
    return Buffer.from(Uint8Array.from({ length }, () => this.below(256)));
  }
}

const TYPES = ['A', 'AAAA', 'TXT', 'ANY', 'SOA', 'CNAME', 'AXFR', 'NULL', 'OPT'] as const;

/** Bytes that have meanings: pointers, reserved label types, root, the longest label, signs. */
const SPECIAL = [0x00, 0x01, 0x3f, 0x40, 0x41, 0x7f, 0x80, 0xc0, 0xc1, 0xff] as const;

/**
 * Packets as a hostile or broken client may send them: queries with bytes changed, cut, stretched or repeated,
 * and plain noise. None is longer than 700 bytes.
 */
export class PacketMaker {
  private readonly chance: Chance;
  private readonly names: readonly string[];

  constructor(chance: Chance, names: readonly string[]) {
    this.chance = chance;
    this.names = names;
  }

  next(id: number): Buffer {
    const { chance } = this;
    if (chance.below(8) === 0) return this.noise(id);
    let packet = this.query(id);
    for (let left = chance.below(4); left > 0; left--) packet = this.mutate(packet);
    if (packet.length >= 2) packet.writeUInt16BE(id, 0);
    return packet.subarray(0, 700);
  }

  private query(id: number): Buffer {
    const { chance } = this;
    const label = chance.bytes(1 + chance.below(12)).toString('hex');
    const name = chance.below(3) === 0 ? chance.pick(this.names) : `${label}.${chance.pick(this.names)}`;
    return encodeQuery({ name, type: chance.pick(TYPES) as 'A', id, edns: chance.below(2) === 0 });
  }

  private noise(id: number): Buffer {
    const packet = this.chance.bytes(this.chance.below(64));
    if (packet.length >= 2) packet.writeUInt16BE(id, 0);
    // Mostly taken for a query.
    if (packet.length >= 3 && this.chance.below(4) > 0) packet[2] &= 0x7f;
    return packet;
  }

  private mutate(packet: Buffer): Buffer {
    const { chance } = this;
    const at = chance.below(packet.length + 1);
    switch (chance.below(7)) {
      case 0:
        return packet.subarray(0, at);
      case 1:
        return Buffer.concat([packet, chance.bytes(chance.below(40))]);
      case 2:
        return Buffer.concat([packet.subarray(0, at), packet.subarray(chance.below(packet.length + 1))]);
      case 3:
        return Buffer.concat([packet.subarray(0, at), chance.bytes(1), packet.subarray(at)]);
      case 4:
        return this.changed(packet, at, chance.pick(SPECIAL));
      case 5:
        // In the header: flags and counts.
        return this.changed(packet, 2 + chance.below(10), chance.below(256));
      default:
        return this.changed(packet, at, chance.below(256));
    }
  }

  private changed(packet: Buffer, at: number, byte: number): Buffer {
    const copy = Buffer.from(packet);
    if (at < copy.length) copy[at] = byte;
    return copy;
  }
}
