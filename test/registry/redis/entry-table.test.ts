import fc from 'fast-check';
import { expect, it } from 'vitest';
import { profileText } from '../../../src/feed/index.ts';
import { EntryTable } from '../../../src/registry/store/redis/entry-table.ts';

const TEXTS = new Map([1, 2, 3].map((number) => [number, textOf(number)]));

function textOf(number: number): string {
  return profileText({ region: `r${number}`, services: {}, ipv4: true, ipv6: false });
}

/** Keys with their heads: IPv4 /32, IPv6 /64 and /128. */
const key = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Uint8Array.of(4, 32, ...bytes)),
  fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Uint8Array.of(6, 64, ...bytes)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.of(6, 128, ...bytes)),
);

function unpack({ profiles, groups }: ReturnType<EntryTable['pack']>): Map<string, string> {
  const found = new Map<string, string>();
  for (const { family, length, count, keys, profiles: indexes } of groups) {
    const width = keys.length / count;
    for (let index = 0; index < count; index++) {
      const bytes = keys.subarray(index * width, (index + 1) * width);
      found.set([family, length, ...bytes].join('.'), profileText(profiles[indexes[index]]));
    }
  }
  return found;
}

it('holds what a Map would, the last value of each key', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.integer({ min: 1, max: 3 }))), (entries) => {
      const table = new EntryTable();
      const expected = new Map<string, string>();
      for (const [bytes, number] of entries) {
        table.set(bytes, number);
        expected.set(bytes.join('.'), textOf(number));
      }
      expect(unpack(table.pack(TEXTS))).toEqual(expected);
    }),
  );
});

it('grows past its first slots, and keeps each prefix once', () => {
  const table = new EntryTable();
  const bytes = Buffer.from([4, 32, 0, 0, 0, 0]);
  for (let round = 1; round <= 2; round++) {
    for (let index = 0; index < 100_000; index++) {
      bytes.writeUInt32BE(index * 7_919, 2);
      table.set(bytes, round);
    }
  }
  const { groups, profiles } = table.pack(TEXTS);
  expect(groups.map(({ count }) => count)).toEqual([100_000]);
  expect(profiles.map(({ region }) => region)).toEqual(['r2']);
});

it('leaves out entries whose profile is gone', () => {
  const table = new EntryTable();
  table.set(Uint8Array.of(4, 32, 1, 2, 3, 4), 1);
  table.set(Uint8Array.of(4, 32, 1, 2, 3, 5), 9);
  const packed = unpack(table.pack(TEXTS));
  expect([...packed.keys()]).toEqual(['4.32.1.2.3.4']);
});
