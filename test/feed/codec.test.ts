import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeSnapshot,
  encodeSnapshot,
  type Profile,
  type Snapshot,
  SnapshotCorruptError,
  type SnapshotGroup,
  SnapshotVersionUnknownError,
  snapshotKeyBytes,
} from '../../src/feed/index.ts';

const CHECKSUM_BYTES = 32;

const profile: fc.Arbitrary<Profile> = fc.record(
  {
    region: fc.string(),
    services: fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true }),
    ipv4: fc.boolean(),
    ipv6: fc.boolean(),
    told: fc.constant(true),
  },
  { requiredKeys: ['region', 'services', 'ipv4', 'ipv6'], noNullPrototype: true },
);

const kind = fc.constantFrom<[4 | 6, number][]>([4, 32], [4, 8], [6, 16], [6, 64], [6, 65], [6, 128]);

function groupOf([family, length]: [4 | 6, number], profileCount: number): fc.Arbitrary<SnapshotGroup> {
  return fc.array(fc.nat(profileCount - 1), { maxLength: 20 }).chain((profiles) => {
    const bytes = profiles.length * snapshotKeyBytes(family, length);
    return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((keys) => ({
      family,
      length,
      count: profiles.length,
      keys,
      profiles: Uint16Array.from(profiles),
    }));
  });
}

const snapshot: fc.Arbitrary<Snapshot> = fc
  .record({
    epoch: fc.string({ minLength: 1, maxLength: 40 }),
    seq: fc.nat(2 ** 48 - 1),
    profiles: fc.array(profile, { minLength: 1, maxLength: 5 }),
    kinds: fc.uniqueArray(kind, { selector: String }),
  })
  .chain(({ kinds, ...head }) =>
    fc
      .tuple(...kinds.map((each) => groupOf(each, head.profiles.length)))
      .map((groups): Snapshot => ({ version: 1, ...head, groups })),
  );

const SMALL: Snapshot = {
  version: 1,
  epoch: 'e1',
  seq: 7,
  profiles: [{ region: 'us', services: { netflix: 'gb' }, ipv4: true, ipv6: false }],
  groups: [
    { family: 4, length: 32, count: 1, keys: Uint8Array.of(192, 0, 2, 1), profiles: Uint16Array.of(0) },
  ],
};
const EMPTY: Snapshot = { version: 1, epoch: 'e1', seq: 0, profiles: [], groups: [] };

/** Changes bytes and fixes the checksum. */
function resealed(bytes: Uint8Array, change: (content: Buffer) => void): Uint8Array {
  const content = Buffer.from(bytes.subarray(0, -CHECKSUM_BYTES));
  change(content);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

function plain(value: Snapshot): unknown {
  const groups = value.groups.map((group) => ({
    ...group,
    keys: [...group.keys],
    profiles: [...group.profiles],
  }));
  return { ...value, groups };
}

describe('a packed snapshot', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(snapshot, (value) => {
        expect(plain(decodeSnapshot(encodeSnapshot(value)))).toEqual(plain(value));
      }),
    );
  });

  test('may hold no entry', () => {
    expect(decodeSnapshot(encodeSnapshot(EMPTY))).toEqual(EMPTY);
  });

  test('is read from bytes at any offset of their buffer', () => {
    const bytes = encodeSnapshot(SMALL);
    const within = Buffer.alloc(bytes.length + 3);
    within.set(bytes, 3);
    expect(plain(decodeSnapshot(within.subarray(3)))).toEqual(plain(SMALL));
  });

  test('has numbers in network order', () => {
    const bytes = Buffer.from(encodeSnapshot(SMALL));
    expect(bytes.toString('latin1', 0, 6)).toBe('MSLIST');
    expect(bytes.readUInt16BE(6)).toBe(1);
    expect(Number(bytes.readBigUInt64BE(8))).toBe(bytes.length);
    expect(Number(bytes.readBigUInt64BE(16))).toBe(7);
  });
});

describe('decodeSnapshot rejects', () => {
  const bytes = encodeSnapshot(SMALL);

  test('any other length', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSnapshot(bytes.subarray(0, length))).toThrow(SnapshotCorruptError);
    }
    expect(() => decodeSnapshot(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(SnapshotCorruptError);
  });

  test('any flipped bit', () => {
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect(() => decodeSnapshot(flipped)).toThrow(/corrupt|version/);
    }
  });

  test('another version, naming it', () => {
    const later = resealed(bytes, (content) => content.writeUInt16BE(2, 6));
    expect(() => decodeSnapshot(later)).toThrow(SnapshotVersionUnknownError);
    expect(() => decodeSnapshot(later)).toThrow('version 2; this release reads version 1');
  });

  test('random bytes behind a valid header and checksum, with its own errors', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - CHECKSUM_BYTES - 25), fc.nat(255), (at, value) => {
        const changed = resealed(bytes, (content) => {
          content[24 + at] = value;
        });
        try {
          decodeSnapshot(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(SnapshotCorruptError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('a missing profile, an unknown prefix length, a group twice', () => {
    const end = bytes.length - CHECKSUM_BYTES;
    expect(() => decodeSnapshot(resealed(bytes, (content) => content.writeUInt16BE(1, end - 2)))).toThrow(
      'profile',
    );
    expect(() => decodeSnapshot(resealed(bytes, (content) => content.writeUInt8(33, end - 11)))).toThrow(
      'length',
    );
    const twice = encodeSnapshot({ ...SMALL, groups: [SMALL.groups[0], SMALL.groups[0]] });
    expect(() => decodeSnapshot(twice)).toThrow('two groups');
  });
});

test('encodeSnapshot rejects groups that contradict themselves', () => {
  const [group] = SMALL.groups;
  for (const wrong of [
    { count: 2 },
    { length: 7 },
    { profiles: Uint16Array.of(1) },
    { family: 6 as const },
  ]) {
    expect(() => encodeSnapshot({ ...SMALL, groups: [{ ...group, ...wrong }] })).toThrow(RangeError);
  }
});
