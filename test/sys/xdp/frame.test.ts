import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress, readWord } from '../../../src/net/index.ts';
import { Frames, FrameVerdict } from '../../../src/sys/xdp/index.ts';
import { CLIENT_MAC, type FrameFields, frame, readFrame, SERVER_MAC, sealHeader, target } from './support.ts';

const SERVER = '192.0.2.53';
const SERVER6 = '2001:db8::53';
const CLIENT6 = '2001:db8:77::1';
const SIX = { from: CLIENT6, to: SERVER6 } as const;
const PLACE = 2048;
/** Offset of the frame, as the kernel chooses it. */
const AT = 256;

/** A memory with one frame, and its reader. */
class Desk {
  readonly memory = new ArrayBuffer(2 * PLACE);
  readonly bytes = Buffer.from(this.memory);
  readonly frames = new Frames(this.memory, [
    target(SERVER, 53, 3),
    target(SERVER6, 5353, 4),
    target(SERVER6, 53, 5),
  ]);

  read(content: Uint8Array, length = content.length): FrameVerdict {
    this.bytes.fill(0xee);
    this.bytes.set(content, AT);
    return this.frames.read(AT, length);
  }

  turn(payload: Uint8Array): Buffer {
    this.bytes.set(payload, this.frames.payloadAt);
    return this.bytes.subarray(AT, AT + this.frames.turn(AT, payload.length));
  }
}

const verdict = (content: Uint8Array): FrameVerdict => new Desk().read(content);
const changed = (fields: FrameFields, change: (bytes: Buffer) => void): Buffer => {
  const bytes = frame(fields);
  change(bytes);
  return bytes;
};

const address4 = fc
  .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
  .filter(([first]) => first !== 127)
  .map((bytes) => bytes.join('.'))
  .filter((text) => text !== SERVER);
const address6 = fc
  .array(fc.nat(0xffff), { minLength: 7, maxLength: 7 })
  .map((groups) => ['2001', ...groups.map((group) => group.toString(16))].join(':'));
const payload = (maxLength: number) => fc.uint8Array({ minLength: 0, maxLength });
const port = fc.integer({ min: 0, max: 65_535 });
const fields = fc.oneof(
  fc.record({ from: address4, to: fc.constant(SERVER), sourcePort: port, payload: payload(1400) }),
  fc.record({ from: address6, to: fc.constant(SERVER6), sourcePort: port, payload: payload(1400) }),
);

describe('a frame', () => {
  it.each([
    [
      'IPv4',
      '261efa800368521200af1cda080045000034ae6000004011b7bc0a4d00020a4d0001a7fa270f002066f7d4a4' +
        '01200001000000000000016104746573740000010001',
    ],
    [
      'IPv6',
      '261efa800368521200af1cda86dd600b12e800201140fd770000000000000000000000000002fd77000000000000' +
        '0000000000000001ca62270f0020955b9d8201200001000000000000016104746573740000010001',
    ],
  ])('that Linux sent with all its checksums, of dig over %s, is taken and answered', (_, hex) => {
    const memory = new ArrayBuffer(PLACE);
    const bytes = Buffer.from(memory);
    bytes.write(hex, AT, 'hex');
    const frames = new Frames(memory, [target('10.77.0.1', 9999), target('fd77::1', 9999)]);
    expect(frames.read(AT, hex.length / 2)).toBe(FrameVerdict.TAKEN);
    const query = dnsPacket.decode(bytes.subarray(frames.payloadAt, frames.payloadAt + frames.payloadBytes));
    expect(query.questions).toEqual([{ name: 'a.test', type: 'A', class: 'IN' }]);
    const length = frames.turn(AT, frames.payloadBytes);
    const answer = readFrame(bytes.subarray(AT, AT + length));
    expect([answer.mac, answer.sourceMac]).toEqual(['521200af1cda', '261efa800368']);
    expect(dnsPacket.decode(answer.payload).questions).toEqual(query.questions);
  });

  it.each<[string, FrameFields, number, number]>([
    ['IPv4', {}, 4, 3],
    ['IPv6', SIX, 6, 5],
    ['IPv6 on another port', { ...SIX, port: 5353 }, 6, 4],
    ['no payload', { payload: Buffer.alloc(0) }, 4, 3],
    ['padding behind the packet', { padding: 18 }, 4, 3],
    ['no checksum, in IPv4', { checksum: 'none' }, 4, 3],
    ['a checksum that was left to hardware', { checksum: 'partial' }, 4, 3],
    ['the same in IPv6', { ...SIX, checksum: 'partial' }, 6, 5],
    ['source port 0, which its reader drops', { sourcePort: 0 }, 4, 3],
  ])('is taken with %s', (_, sent, family, listener) => {
    const desk = new Desk();
    expect(desk.read(frame(sent))).toBe(FrameVerdict.TAKEN);
    expect([desk.frames.family, desk.frames.listener]).toEqual([family, listener]);
    const { payloadAt, payloadBytes } = desk.frames;
    const read = desk.bytes.subarray(payloadAt, payloadAt + payloadBytes);
    expect(read).toEqual(Buffer.from(sent.payload ?? 'payload'));
  });

  it('is read with its source, its port and its payload, and turned round to where it came from', () => {
    fc.assert(
      fc.property(fields, payload(1232), (sent, reply) => {
        const desk = new Desk();
        expect(desk.read(frame(sent))).toBe(FrameVerdict.TAKEN);
        const { bytes, family } = parseAddress(sent.from)!;
        const words = (family === 4 ? [0] : [0, 4, 8, 12]).map((at) => readWord(bytes, at));
        expect([...desk.frames.source.subarray(0, words.length)]).toEqual(words);
        expect([desk.frames.sourcePort, desk.frames.payloadBytes]).toEqual([
          sent.sourcePort,
          sent.payload.length,
        ]);
        const turned = desk.turn(reply);
        expect(turned.length).toBeGreaterThanOrEqual(60);
        const read = readFrame(turned);
        expect(read).toEqual({
          mac: CLIENT_MAC.toString('hex'),
          sourceMac: SERVER_MAC.toString('hex'),
          from: Buffer.from(parseAddress(sent.to)!.bytes),
          to: Buffer.from(bytes),
          sourcePort: 53,
          port: sent.sourcePort,
          hops: 64,
          dontFragment: true,
          payload: Buffer.from(reply),
        });
      }),
    );
  });

  it('never has the checksum zero where the sum is: it would mean that there is none', () => {
    const desk = new Desk();
    // Two bytes of the payload make the sum 0xffff, whose complement is 0.
    desk.read(frame());
    const first = desk.turn(Buffer.from([0, 0]));
    const rest = ~first.readUInt16BE(40) & 0xffff;
    const missing = 0xffff - rest;
    desk.read(frame());
    const second = desk.turn(Buffer.from([missing >> 8, missing & 0xff]));
    expect(second.readUInt16BE(40)).toBe(0xffff);
    expect(() => readFrame(second)).not.toThrow();
  });

  it.each<[string, Buffer, FrameVerdict]>([
    ['nothing at all', Buffer.alloc(0), FrameVerdict.MALFORMED],
    ['no room for headers', frame().subarray(0, 41), FrameVerdict.MALFORMED],
    ['no room for those of IPv6', frame(SIX).subarray(0, 61), FrameVerdict.MALFORMED],
    ['a packet that is cut', frame().subarray(0, -1), FrameVerdict.MALFORMED],
    ['an IPv6 packet that is cut', frame(SIX).subarray(0, -1), FrameVerdict.MALFORMED],
    ['another type', changed({}, (b) => b.writeUInt16BE(0x0806, 12)), FrameVerdict.MALFORMED],
    ['a VLAN tag', changed({}, (b) => b.writeUInt16BE(0x8100, 12)), FrameVerdict.MALFORMED],
    ['options', changed({}, (b) => b.writeUInt8(0x46, 14)), FrameVerdict.MALFORMED],
    ['another version', changed(SIX, (b) => b.writeUInt8(0x40, 14)), FrameVerdict.MALFORMED],
    ['TCP', changed({}, (b) => b.writeUInt8(6, 23)), FrameVerdict.MALFORMED],
    ['an extension header', changed(SIX, (b) => b.writeUInt8(44, 20)), FrameVerdict.MALFORMED],
    ['more fragments', changed({}, (b) => b.writeUInt16BE(0x2000, 20)), FrameVerdict.MALFORMED],
    ['a later fragment', changed({}, (b) => b.writeUInt16BE(0x0001, 20)), FrameVerdict.MALFORMED],
    ['the reserved bit', changed({}, (b) => b.writeUInt16BE(0x8000, 20)), FrameVerdict.MALFORMED],
    ['UDP longer than IP', changed({}, (b) => b.writeUInt16BE(16, 38)), FrameVerdict.MALFORMED],
    ['UDP shorter than its header', changed({}, (b) => b.writeUInt16BE(7, 38)), FrameVerdict.MALFORMED],
    ['IP shorter than its headers', changed({}, (b) => b.writeUInt16BE(27, 16)), FrameVerdict.MALFORMED],
    ['a changed header', changed({}, (b) => b.writeUInt8(60, 22)), FrameVerdict.CHECKSUM],
    ['a changed payload', changed({}, (b) => b.writeUInt8(0, 45)), FrameVerdict.CHECKSUM],
    ['a wrong checksum', frame({ checksum: 'wrong' }), FrameVerdict.CHECKSUM],
    ['a wrong checksum in IPv6', frame({ ...SIX, checksum: 'wrong' }), FrameVerdict.CHECKSUM],
    ['no checksum in IPv6', frame({ ...SIX, checksum: 'none' }), FrameVerdict.CHECKSUM],
    ['another address', frame({ to: '192.0.2.54' }), FrameVerdict.STRAY],
    ['another IPv6 address', frame({ ...SIX, to: '2001:db8::54' }), FrameVerdict.STRAY],
    ['another port', frame({ port: 54 }), FrameVerdict.STRAY],
    ['a group as its sender', frame({ sourceMac: Buffer.from('01005e000001', 'hex') }), FrameVerdict.SPOOFED],
  ])('is dropped with %s', (_, sent, expected) => {
    expect(verdict(sent)).toBe(expected);
  });

  it.each(['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.251', '239.255.255.250', '255.255.255.255', SERVER])(
    'is dropped from %s',
    (from) => {
      expect(verdict(frame({ from }))).toBe(FrameVerdict.SPOOFED);
    },
  );

  it.each(['::', '::1', '::192.0.2.1', 'ff02::1', SERVER6])('is dropped from %s', (from) => {
    expect(verdict(frame({ from, to: SERVER6 }))).toBe(FrameVerdict.SPOOFED);
  });

  it('is dropped from an IPv4 address in the clothes of IPv6', () => {
    const bytes = frame(SIX);
    bytes.write('00000000000000000000ffffc0000201', 22, 'hex');
    expect(verdict(bytes)).toBe(FrameVerdict.SPOOFED);
  });

  it('DF or not, is taken', () => {
    const bytes = frame();
    bytes.writeUInt16BE(0x4000, 20);
    sealHeader(bytes.subarray(14, 34));
    expect(verdict(bytes)).toBe(FrameVerdict.TAKEN);
  });

  it('changed anywhere, is dropped, or is a whole packet still; nothing outside of it is read or written', () => {
    const seeds = [
      frame(),
      frame(SIX),
      frame({ checksum: 'none', padding: 6 }),
      frame({ checksum: 'partial' }),
    ];
    const edits = fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), edits, fc.nat(100), (seed, changes, length) => {
        const bytes = Buffer.from(seed);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const desk = new Desk();
        const cut = Math.min(length, bytes.length);
        if (desk.read(bytes.subarray(0, cut)) !== FrameVerdict.TAKEN) return;
        const { payloadAt, payloadBytes, family } = desk.frames;
        expect(payloadAt).toBe(AT + (family === 4 ? 42 : 62));
        expect(payloadAt + payloadBytes).toBeLessThanOrEqual(AT + cut);
        const read = readFrame(desk.turn(Buffer.from('reply')));
        expect(read.payload.toString()).toBe('reply');
        expect([53, 5353]).toContain(read.sourcePort);
        expect(desk.bytes.subarray(0, AT).every((byte) => byte === 0xee)).toBe(true);
        expect(desk.bytes.subarray(PLACE).every((byte) => byte === 0xee)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
