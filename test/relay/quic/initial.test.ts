import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HelloState } from '../../../src/net/hello/server-name.ts';
import { CryptoStream } from '../../../src/relay/quic/crypto-stream.ts';
import { openInitial } from '../../../src/relay/quic/initial.ts';
import { hello, POST_QUANTUM } from '../../net/hello/build.ts';

/**
 * RFC 9001 A.2 and RFC 9369 A.2: the same CRYPTO frame for the same connection id, sealed for each version.
 */
const ID = '8394c8f03e515708';
const FRAME =
  '060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868' +
  '04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578' +
  '616d706c652e636f6dff01000100000a00080006001d00170018001000070005' +
  '04616c706e000500050100000000003300260024001d00209370b2c9caa47fba' +
  'baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400' +
  '0d0010000e0403050306030203080408050806002d00020101001c00024001' +
  '003900320408ffffffffffffffff05048000ffff07048000ffff080110010480' +
  '0075300901100f088394c8f03e51570806048000ffff';

const KEYS = {
  v1: {
    header: 'c300000001088394c8f03e5157080000449e00000002',
    key: '1f369613dd76d5467730efcbe3b1a22d',
    iv: 'fa044b2f42a3fd3b46fb255c',
    hp: '9f50449e04a0e810283a1e9933adedd2',
    protectedHeader: 'c000000001088394c8f03e5157080000449e7b9aec34',
  },
  v2: {
    header: 'd36b3343cf088394c8f03e5157080000449e00000002',
    key: '8b1a0bc121284290a29e0971b5cd045d',
    iv: '91f73e2351d8fa91660e909f',
    hp: '45b95e15235d6f45a6b19cbcb0294ba9',
    protectedHeader: 'd76b3343cf088394c8f03e5157080000449ea0c95e82',
  },
} as const;

/** Seals with the keys printed in the RFC, so that the derivation is tested and not repeated. */
function seal(version: keyof typeof KEYS, frames: Buffer): Buffer {
  const { header, key, iv, hp } = KEYS[version];
  const packet = Buffer.from(header, 'hex');
  const nonce = Buffer.from(iv, 'hex');
  nonce[11]! ^= 2;
  const cipher = createCipheriv('aes-128-gcm', Buffer.from(key, 'hex'), nonce).setAAD(packet);
  const payload = Buffer.alloc(1162);
  frames.copy(payload);
  const sealed = Buffer.concat([cipher.update(payload), cipher.final(), cipher.getAuthTag()]);
  const mask = createCipheriv('aes-128-ecb', Buffer.from(hp, 'hex'), null).update(sealed.subarray(0, 16));
  packet[0]! ^= mask[0]! & 0x0f;
  for (let i = 0; i < 4; i++) packet[18 + i]! ^= mask[1 + i]!;
  return Buffer.concat([packet, sealed]);
}

const crypto = (offset: number, data: Uint8Array) => {
  const varint = (value: number) => [
    0x80 | (value >> 24),
    (value >> 16) & 255,
    (value >> 8) & 255,
    value & 255,
  ];
  return Buffer.from([6, ...varint(offset), ...varint(data.length), ...data]);
};

const nameOf = (stream: CryptoStream) => stream.bytes.toString('latin1', stream.name.start, stream.name.end);

describe.each(['v1', 'v2'] as const)('an Initial of QUIC %s', (version) => {
  it("from the RFC's appendix is decrypted and its name read", () => {
    const datagram = seal(version, Buffer.from(FRAME, 'hex'));
    expect(datagram.length).toBe(1200);
    expect(datagram.toString('hex', 0, 22)).toBe(KEYS[version].protectedHeader);
    const initial = openInitial(datagram, 0, null)!;
    expect(initial.destinationId.toString('hex')).toBe(ID);
    expect(initial.end).toBe(1200);
    expect(initial.frames.toString('hex', 0, FRAME.length / 2)).toBe(FRAME);
    const stream = new CryptoStream();
    expect(stream.read(initial.frames)).toBe(HelloState.NAMED);
    expect(nameOf(stream)).toBe('example.com');
  });

  it('that was changed, cut, or sealed with other keys is not decrypted', () => {
    const datagram = seal(version, Buffer.from(FRAME, 'hex'));
    fc.assert(
      fc.property(fc.nat(datagram.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(datagram);
        changed[at]! ^= flip;
        expect(openInitial(changed, 0, null)).toBeNull();
      }),
      { numRuns: 100 },
    );
    for (let length = 0; length < 1200; length += 7) {
      expect(openInitial(datagram.subarray(0, length), 0, null)).toBeNull();
    }
    expect(openInitial(datagram, 0, Buffer.from('00', 'hex'))).toBeNull();
  });
});

describe('a ClientHello in CRYPTO frames', () => {
  const message = hello({ name: 'films.example', extensions: [POST_QUANTUM] });

  it('is assembled from several packets, in any order, overlapping, among other frames', () => {
    const cut = fc.uniqueArray(fc.integer({ min: 1, max: message.length - 1 }), { maxLength: 12 });
    fc.assert(
      fc.property(cut, fc.infiniteStream(fc.nat(1000)), (cuts, order) => {
        const at = [0, ...cuts.sort((a, b) => a - b), message.length];
        const pieces = at.slice(0, -1).map((from, i) => crypto(from, message.subarray(from, at[i + 1]! + 3)));
        const shuffled = pieces
          .map((piece) => ({ piece, key: order.next().value as number }))
          .sort((a, b) => a.key - b.key);
        const stream = new CryptoStream();
        let state: number = HelloState.PARTIAL;
        for (const { piece } of shuffled) {
          expect(state).toBe(HelloState.PARTIAL);
          state = stream.read(Buffer.concat([Buffer.of(0, 1, 2, 5, 0, 0, 1), piece, Buffer.alloc(9)]));
          if (state !== HelloState.PARTIAL) break;
        }
        expect(state).toBe(HelloState.NAMED);
        expect(nameOf(stream)).toBe('films.example');
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['beyond 16 KiB', crypto(16_000, new Uint8Array(1000))],
    ['in a frame that runs past the packet', crypto(0, message).subarray(0, 50)],
    ['behind a STREAM frame', Buffer.concat([Buffer.of(8, 0, 0), crypto(0, message)])],
    ['that is none', crypto(0, Uint8Array.of(2, 0, 0, 0))],
  ])('%s is rejected', (_, frames) => {
    expect(new CryptoStream().read(frames)).toBe(HelloState.MALFORMED);
  });

  it('of arbitrary frames never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (frames) => {
        expect(Object.values(HelloState)).toContain(new CryptoStream().read(Buffer.from(frames)));
      }),
    );
  });
});
