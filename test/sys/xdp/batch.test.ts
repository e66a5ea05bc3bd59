/** A batch over rings in ordinary memory; the test plays the kernel. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENDPOINT_BYTES, localPort, Memory, PacketBatch } from '../../../src/sys/index.ts';
import {
  FRAME_PLACE_BYTES,
  FRAME_RESULTS,
  FrameBatch,
  FrameVerdict,
  type XdpRingHandle,
} from '../../../src/sys/xdp/index.ts';
import { closeAll, open, Peer } from '../support.ts';
import { frame, readFrame, target } from './support.ts';

const HEADROOM = 256;
const SERVER = '192.0.2.53';
const SERVER6 = '2001:db8::53';
/** Counters start shortly before they overflow, so that every test crosses that. */
const BEGIN = -3;
/** An invalid descriptor: system calls fail, which these tests ignore. */
const NO_FD = -1;

/** The kernel's side of a ring. */
class FakeRing {
  readonly handle: XdpRingHandle;
  readonly words: Int32Array;
  private readonly memory: Memory;
  private readonly stride: number;

  constructor(entries: number, stride: number) {
    this.stride = stride;
    this.memory = new Memory(64 + entries * stride * 4);
    this.words = new Int32Array(this.memory.bytes.buffer);
    const { address, bytes } = this.memory;
    this.handle = {
      address,
      bytes: bytes.length,
      entries,
      producer: 0,
      consumer: 4,
      flags: 8,
      descriptors: 64,
    };
    this.words[0] = BEGIN;
    this.words[1] = BEGIN;
  }

  /** Entries that were produced and not yet consumed. */
  get count(): number {
    return (this.words[0]! - this.words[1]!) | 0;
  }

  produce(...entry: number[]): void {
    const at = 16 + (this.words[0]! & (this.handle.entries - 1)) * this.stride;
    for (let k = 0; k < this.stride; k++) this.words[at + k] = entry[k] ?? 0;
    this.words[0]!++;
  }

  consume(): number[] {
    const at = 16 + (this.words[1]! & (this.handle.entries - 1)) * this.stride;
    this.words[1]!++;
    return [...this.words.subarray(at, at + this.stride)];
  }
}

/** A device of `frames` frames that delivers, takes and completes on demand. */
class FakeDevice {
  readonly memory: Memory;
  readonly receive: FakeRing;
  readonly send: FakeRing;
  readonly fill: FakeRing;
  readonly completion: FakeRing;
  readonly batch: FrameBatch;
  readonly tally = new Float64Array(FRAME_RESULTS);
  readonly frames: number;
  /** Frames that were sent and not yet completed. */
  readonly inFlight: number[] = [];

  constructor(frames = 8, slots = 4, sendEntries = 4) {
    this.frames = frames;
    this.memory = new Memory(frames * FRAME_PLACE_BYTES);
    this.receive = new FakeRing(frames, 4);
    this.send = new FakeRing(sendEntries, 4);
    this.fill = new FakeRing(frames, 2);
    this.completion = new FakeRing(frames, 2);
    for (let i = 0; i < frames; i++) this.fill.produce(i * FRAME_PLACE_BYTES);
    const { address, bytes } = this.memory;
    this.batch = new FrameBatch(
      {
        fd: NO_FD,
        interfaceIndex: 7,
        frames,
        memory: { address, bytes: bytes.length },
        receive: this.receive.handle,
        send: this.send.handle,
        fill: this.fill.handle,
        completion: this.completion.handle,
        zeroCopy: false,
        sendBudget: 32,
      },
      [target(SERVER, 53, 1), target(SERVER6, 53, 2)],
      slots,
      this.tally,
    );
  }

  /** @returns false if there was no frame to write to */
  deliver(content: Uint8Array, offset = HEADROOM): boolean {
    if (this.fill.count === 0) return false;
    const at = this.fill.consume()[0]! + offset;
    this.memory.bytes.set(content, at);
    this.receive.produce(at, 0, content.length);
    return true;
  }

  /** Takes the frames to be sent. */
  sent(): Buffer[] {
    return Array.from({ length: this.send.count }, () => {
      const [at, , length] = this.send.consume();
      this.inFlight.push(at!);
      return Buffer.from(this.memory.bytes.subarray(at!, at! + length!));
    });
  }

  complete(count = this.inFlight.length): void {
    for (const at of this.inFlight.splice(0, count)) this.completion.produce(at);
  }

  answer(text: string, count: number): void {
    const { batch } = this;
    for (let i = 0; i < count; i++) {
      batch.data[i]!.set(Buffer.from(text));
      batch.replyLengths[i] = text.length;
    }
    batch.send(NO_FD, count);
  }

  /** True if every frame is in exactly one place. */
  get accounted(): boolean {
    const places = [...this.inFlight];
    const look = (ring: FakeRing, stride: number) => {
      for (let i = 0; i < ring.count; i++) {
        places.push(ring.words[16 + ((ring.words[1]! + i) & (ring.handle.entries - 1)) * stride]!);
      }
    };
    look(this.receive, 4);
    look(this.send, 4);
    look(this.fill, 2);
    look(this.completion, 2);
    const frames = places.map((at) => Math.floor(at / FRAME_PLACE_BYTES));
    return frames.length === this.frames && new Set(frames).size === this.frames;
  }
}

const text = ({ batch }: FakeDevice, i: number): string =>
  Buffer.from(batch.data[i]!.subarray(0, batch.lengths[i])).toString();

describe('a batch of frames', () => {
  it('takes packets of both families in place, and tells where each came from and was sent to', () => {
    const device = new FakeDevice();
    const { batch } = device;
    device.deliver(frame({ payload: Buffer.from('four') }));
    device.deliver(
      frame({ from: '2001:db8:77::1', to: SERVER6, sourcePort: 9, payload: Buffer.from('six') }),
    );
    expect(batch.hasFrames()).toBe(true);
    expect(batch.receive()).toBe(2);
    expect(batch.hasFrames()).toBe(false);
    expect([text(device, 0), text(device, 1)]).toEqual(['four', 'six']);
    expect([...batch.families.subarray(0, 2)]).toEqual([4, 6]);
    expect([...batch.ports.subarray(0, 2)]).toEqual([40_000, 9]);
    expect([...batch.targets.subarray(0, 2)]).toEqual([1, 2]);
    expect(batch.addresses[0]).toBe(0xc633_6407);
    expect([...batch.addresses.subarray(4, 8)]).toEqual([0x2001_0db8, 0x0077_0000, 0, 1]);
  });

  it('sends each answer to its asker, and lets go those that get none', () => {
    const device = new FakeDevice();
    const { batch } = device;
    for (const from of ['198.51.100.1', '198.51.100.2', '198.51.100.3']) device.deliver(frame({ from }));
    expect(batch.receive()).toBe(3);
    for (const i of [0, 2]) batch.data[i]!.set(Buffer.from(`answer ${i}`));
    batch.replyLengths.set([8, 0, 8]);
    batch.send(NO_FD, 3);
    const read = device.sent().map(readFrame);
    expect(read.map(({ to, payload }) => [to.join('.'), payload.toString()])).toEqual([
      ['198.51.100.1', 'answer 0'],
      ['198.51.100.3', 'answer 2'],
    ]);
    expect(device.accounted).toBe(true);
  });

  it('drops and counts packets for others, and reuses their frames', () => {
    const device = new FakeDevice();
    device.deliver(frame({ to: '192.0.2.54' }));
    device.deliver(frame({ checksum: 'wrong' }));
    device.deliver(frame());
    device.deliver(frame({ from: '127.0.0.1' }));
    expect(device.batch.receive()).toBe(1);
    const { TAKEN, STRAY, CHECKSUM, SPOOFED, MALFORMED } = FrameVerdict;
    const counted = [TAKEN, STRAY, CHECKSUM, SPOOFED, MALFORMED].map((verdict) => device.tally[verdict]);
    expect(counted).toEqual([1, 1, 1, 1, 0]);
    device.answer('yes', 1);
    device.sent();
    expect(device.accounted).toBe(true);
  });

  it('takes no more than it has slots, and the rest with the next call', () => {
    const device = new FakeDevice(8, 2);
    for (const payload of ['1', '2', '3']) device.deliver(frame({ payload: Buffer.from(payload) }));
    expect(device.batch.receive()).toBe(2);
    device.answer('a', 2);
    expect(device.batch.hasFrames()).toBe(true);
    expect(device.batch.receive()).toBe(1);
    expect(text(device, 0)).toBe('3');
  });

  it('gives up answers that the ring has no room for, and counts them', () => {
    const device = new FakeDevice(8, 4, 2);
    for (let i = 0; i < 3; i++) device.deliver(frame());
    device.batch.receive();
    device.answer('a', 3);
    expect(device.sent()).toHaveLength(2);
    expect(device.tally[5]).toBe(1);
    expect(device.accounted).toBe(true);
  });

  it('moves a frame that a driver has put elsewhere in its place', () => {
    const device = new FakeDevice();
    device.deliver(frame({ payload: Buffer.from('elsewhere') }), HEADROOM + 2);
    expect(device.batch.receive()).toBe(1);
    expect(text(device, 0)).toBe('elsewhere');
    device.answer('there', 1);
    expect(readFrame(device.sent()[0]!).payload.toString()).toBe('there');
    expect(device.accounted).toBe(true);
  });

  it('has room for the longest reply in each frame', () => {
    const device = new FakeDevice();
    device.deliver(frame({ from: '2001:db8:77::1', to: SERVER6 }));
    device.batch.receive();
    expect(device.batch.data[0]!.length).toBeGreaterThan(1232);
    device.answer('x'.repeat(1232), 1);
    expect(readFrame(device.sent()[0]!).payload).toHaveLength(1232);
  });

  it('loses no frame and no packet, whatever comes when', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ do: fc.constant('serve' as const), count: fc.nat(3) }),
      fc.record({ do: fc.constant('leave' as const), count: fc.nat(9) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const device = new FakeDevice(8, 4, 4);
        const expected: string[] = [];
        let asked = 0;
        for (const { do: action, count } of steps) {
          if (action === 'deliver') {
            for (let i = 0; i < count; i++) {
              const payload = Buffer.from(`${asked}`);
              if (device.deliver(frame({ payload }))) expected.push(`${asked++}`);
            }
          } else if (action === 'serve') {
            const taken = device.batch.receive();
            for (let i = 0; i < taken; i++) {
              expect(text(device, i)).toBe(expected.shift());
              device.batch.replyLengths[i] = i < count ? device.batch.lengths[i]! : 0;
            }
            device.batch.send(NO_FD, taken);
          } else {
            for (const sent of device.sent()) readFrame(sent);
            device.complete(count);
          }
          expect(device.accounted).toBe(true);
        }
      }),
    );
  });

  it('lets a socket answer later, from the address that was asked', async () => {
    const peer = await Peer.on('127.0.0.21');
    const fd = open('0.0.0.0', { packetInfo: true });
    const device = new FakeDevice();
    // The frame says what the socket is to do; on loopback nothing else is needed.
    const content = frame({ from: '127.0.0.21', to: '127.0.0.31', sourcePort: peer.port });
    const endpoint = new Uint8Array(ENDPOINT_BYTES + 2);
    device.deliver(frame());
    device.batch.receive();
    const begin = device.batch.data[0]!.byteOffset - 42;
    device.memory.bytes.set(content.subarray(0, 42), begin);
    device.batch.ports[0] = peer.port;
    device.batch.readEndpoint(0, endpoint, 2);
    const later = new PacketBatch(2, 512, true);
    later.writeEndpoint(1, endpoint, 2);
    later.data[1]!.set(Buffer.from('later'));
    later.replyLengths[1] = 5;
    expect(later.send(fd, 2)).toBe(1);
    expect(await peer.got(1)).toEqual([{ text: 'later', address: '127.0.0.31', port: localPort(fd) }]);
    closeAll();
  });

  it('names the zone of a link-local asker, and of no other', () => {
    const device = new FakeDevice();
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    const zone = (from: string): number => {
      device.deliver(frame({ from, to: SERVER6 }));
      expect(device.batch.receive()).toBe(1);
      device.batch.readEndpoint(0, endpoint, 0);
      device.answer('', 1);
      return new DataView(endpoint.buffer).getUint32(24, true);
    };
    expect([zone('fe80::9'), zone('2001:db8:77::1')]).toEqual([7, 0]);
  });
});
