import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AllowlistReader,
  AllowlistTable,
  PrefixNotListableError,
  type ProfileId,
} from '../../src/allowlist/index.ts';
import { type SnapshotGroup, snapshotKeyBytes } from '../../src/feed/index.ts';
import {
  type Address,
  addressFromBytes,
  contains,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  sourceFromAddress,
} from '../../src/net/index.ts';
import { ipv4Source, ipv6Source, source } from './sources.ts';

const SEED = 0x1234567;

/** The allowlist as a Map that is searched linearly. */
class Model {
  readonly entries = new Map<string, { prefix: Prefix; profile: number }>();

  lookup(address: Address): number {
    let best = { length: -1, profile: 0 };
    for (const { prefix, profile } of this.entries.values()) {
      if (prefix.length > best.length && contains(prefix, address)) best = { length: prefix.length, profile };
    }
    return best.profile;
  }
}

/** Few distinct bits, so that prefixes of all lengths collide; words of all ones and zeros among them. */
const byte = fc.constantFrom(0, 1, 0x80, 0xff);
const ipv4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map((bytes) => Uint8Array.from(bytes));
const ipv6 = fc
  .tuple(fc.constantFrom(0x20, 0, 0x80), fc.array(byte, { minLength: 15, maxLength: 15 }))
  .map(([first, rest]) => Uint8Array.of(first, ...rest));
const address: fc.Arbitrary<Address> = fc.oneof(ipv4, ipv6).map(addressFromBytes);
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(
    address,
    fc.constantFrom(8, 9, 16, 24, 31, 32),
    fc.constantFrom(16, 17, 48, 63, 64, 65, 96, 127, 128),
  )
  .map(([of, length4, length6]) => prefixOf(of, of.family === 4 ? length4 : length6))
  .filter(isListable);
const profileId = fc.integer({ min: 1, max: 65_534 }).map((id) => id as ProfileId);

type Step = { kind: 'set'; prefix: Prefix; profile: ProfileId } | { kind: 'remove'; prefix: Prefix };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('set' as const), prefix, profile: profileId }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), prefix }) },
);

/** False for 0.0.0.0 and 255.255.255.255, by any length that gives their bits. */
function isListable({ family, bytes }: Prefix): boolean {
  return family === 6 || (bytes.some((byte) => byte !== 0) && bytes.some((byte) => byte !== 0xff));
}

function text(value: string): Prefix {
  return parsePrefix(value)!;
}

function id(value: number): ProfileId {
  return value as ProfileId;
}

function followed(table: AllowlistTable): AllowlistReader {
  const reader = new AllowlistReader(table.handle());
  table.onReplaced((handle) => reader.attach(handle));
  return reader;
}

function group(entries: readonly (readonly [Prefix, number])[]): SnapshotGroup {
  const [{ family, length }] = entries[0];
  const width = snapshotKeyBytes(family, length);
  return {
    family,
    length,
    count: entries.length,
    keys: Uint8Array.from(entries.flatMap(([{ bytes }]) => [...bytes.subarray(0, width)])),
    profiles: Uint16Array.from(entries.map(([, profile]) => profile)),
  };
}

function randomPrefix(index: number, family: 4 | 6): Prefix {
  const bytes = new Uint8Array(family === 4 ? 4 : 16);
  new DataView(bytes.buffer).setUint32(0, (Math.imul(index + 1, 0x9e3779b1) >>> 0) | 0x20000000);
  return family === 4 ? { family, bytes, length: 32 } : { family, bytes, length: 64 };
}

describe('the table', () => {
  test('finds what a linear search finds, in all families and lengths', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(address, { maxLength: 20 }), (steps, asked) => {
        const table = new AllowlistTable({ seed: SEED });
        const reader = followed(table);
        const model = new Model();
        for (const each of steps) {
          const key = formatPrefix(each.prefix);
          const before = model.entries.get(key)?.profile ?? 0;
          if (each.kind === 'set') {
            expect(table.set(each.prefix, each.profile)).toBe(before);
            model.entries.set(key, each);
          } else {
            expect(table.remove(each.prefix)).toBe(before);
            model.entries.delete(key);
          }
        }
        expect(table.size).toBe(model.entries.size);
        const places = [...asked, ...steps.map((each) => addressFromBytes(each.prefix.bytes))];
        for (const each of places) expect(reader.lookup(sourceFromAddress(each))).toBe(model.lookup(each));
      }),
      { numRuns: 300 },
    );
  });

  test.each([4, 6] as const)('IPv%d: grows, forgets and fills again without losing an entry', (family) => {
    const table = new AllowlistTable({ seed: SEED });
    const reader = followed(table);
    const model = new Map<number, number>();
    for (let round = 0; round < 60_000; round++) {
      const index = (round * 7919) % 20_011;
      const prefix = randomPrefix(index, family);
      const before = model.get(index) ?? 0;
      if (round % 3 === 2) {
        expect(table.remove(prefix)).toBe(before);
        model.delete(index);
      } else {
        expect(table.set(prefix, id((round % 65_534) + 1))).toBe(before);
        model.set(index, (round % 65_534) + 1);
      }
    }
    expect(table.size).toBe(model.size);
    for (let index = 0; index < 20_011; index++) {
      expect(reader.lookup(sourceFromAddress(randomPrefix(index, family)))).toBe(model.get(index) ?? 0);
    }
  });

  test('takes at most 12 bytes for an IPv4 entry, however it was filled', () => {
    const table = new AllowlistTable({ seed: SEED });
    const other = table.bytes;
    for (let index = 0; index < 100_000; index++) {
      table.set(randomPrefix(index, 4), id(1));
      if (index > 2_000) expect((table.bytes - other) / table.size).toBeLessThanOrEqual(12);
    }
  });

  test('does not grow when addresses come and go', () => {
    const table = new AllowlistTable({ seed: SEED });
    const { bytes } = table;
    for (let index = 0; index < 100_000; index++) {
      table.set(randomPrefix(index, 4), id(1));
      table.remove(randomPrefix(index, 4));
    }
    expect(table.size).toBe(0);
    expect(table.bytes).toBe(bytes);
  });

  test('erases the bits of a removed address from memory', () => {
    const table = new AllowlistTable({ seed: SEED });
    table.set(text('203.0.113.7/32'), id(1));
    table.set(text('2001:db8:1:2::/64'), id(1));
    table.set(text('2001:db8:1:2:3:4:5:6/128'), id(1));
    for (const each of ['203.0.113.7/32', '2001:db8:1:2::/64', '2001:db8:1:2:3:4:5:6/128'])
      table.remove(text(each));
    for (const { memory } of table.handle().tables) {
      for (const word of new Uint32Array(memory))
        expect(word === 0 || word === 1 || word === 0xffffffff).toBe(true);
    }
  });

  test.each([
    '0.0.0.0/32',
    '255.255.255.255/32',
    '0.0.0.0/8',
    '1.0.0.0/7',
    '::/0',
    '2000::/15',
    'ffff:ffff::/64',
  ])('refuses %s, without naming it', (value) => {
    const table = new AllowlistTable({ seed: SEED });
    const prefix = text(value) ?? prefixOf(parseAddress(value.split('/')[0])!, Number(value.split('/')[1]));
    expect(() => table.set(prefix, id(1))).toThrow(PrefixNotListableError);
    expect(() => table.set(prefix, id(1))).toThrow(/^((?!0\.0\.0\.0\/32|ffff:ffff::).)*$/);
    expect(table.remove(prefix)).toBe(0);
    expect(table.size).toBe(0);
  });
});

describe('a lookup', () => {
  test('finds the longest prefix, and the shorter one once that is removed', () => {
    const table = new AllowlistTable({ seed: SEED });
    const reader = followed(table);
    table.set(text('10.0.0.0/8'), id(8));
    table.set(text('10.1.0.0/16'), id(16));
    table.set(text('10.1.2.3/32'), id(32));
    const at = (value: string): number => reader.lookup(source(value));
    expect([at('10.1.2.3'), at('10.1.2.4'), at('10.2.0.0'), at('11.0.0.0')]).toEqual([32, 16, 8, 0]);
    table.remove(text('10.1.2.3/32'));
    expect(at('10.1.2.3')).toBe(16);
  });

  test('finds nothing for 0.0.0.0, 255.255.255.255 and ffff:...', () => {
    const table = new AllowlistTable({ seed: SEED });
    table.set(text('192.0.2.1/32'), id(1));
    table.remove(text('192.0.2.1/32'));
    const reader = followed(table);
    expect(reader.lookup(ipv4Source(0))).toBe(0);
    expect(reader.lookup(ipv4Source(0xffffffff))).toBe(0);
    expect(reader.lookup(ipv6Source(0xffffffff, 0xffffffff, 0, 0))).toBe(0);
    expect(reader.lookup(ipv6Source(0xfffffffe, 0, 0, 0))).toBe(0);
  });

  test('treats an IPv4-mapped address as IPv4, even where ::/64 is registered', () => {
    const table = new AllowlistTable({ seed: SEED });
    const reader = followed(table);
    table.set(text('::/64'), id(6));
    table.set(text('192.0.2.1/32'), id(4));
    expect(reader.lookup(source('::1'))).toBe(6);
    expect(reader.lookup(ipv6Source(0, 0, 0xffff, 0xc0000201))).toBe(4);
    expect(reader.lookup(ipv6Source(0, 0, 0xffff, 0xc0000202))).toBe(0);
  });

  test('accepts signed and unsigned words', () => {
    const table = new AllowlistTable({ seed: SEED });
    const reader = followed(table);
    table.set(text('203.0.113.7/32'), id(4));
    table.set(text('8001:db8:ffff:ffff::/64'), id(6));
    expect([reader.lookup(ipv4Source(0xcb007107)), reader.lookup(ipv4Source(0xcb007107 | 0))]).toEqual([
      4, 4,
    ]);
    expect(reader.lookup(ipv6Source(0x80010db8, 0xffffffff, 1, 2))).toBe(6);
    expect(reader.lookup(ipv6Source(0x80010db8 | 0, -1, 1, 2))).toBe(6);
  });
});

describe('a handle', () => {
  test('shows changes at once to readers of the newest handle, and later ones to no others', () => {
    const table = new AllowlistTable({ seed: SEED });
    const first = new AllowlistReader(table.handle());
    table.set(text('192.0.2.1/32'), id(1));
    expect(first.lookup(ipv4Source(0xc0000201))).toBe(1);
    table.set(text('10.0.0.0/8'), id(2));
    expect(first.isSuperseded).toBe(true);
    expect(first.lookup(ipv4Source(0x0a000001))).toBe(0);
    first.attach(table.handle());
    expect(first.isSuperseded).toBe(false);
    expect([first.lookup(ipv4Source(0xc0000201)), first.lookup(ipv4Source(0x0a000001))]).toEqual([1, 2]);
  });

  test('is passed on before the old one says that it is superseded', () => {
    const table = new AllowlistTable({ seed: SEED });
    const reader = new AllowlistReader(table.handle());
    const seen: boolean[] = [];
    const stop = table.onReplaced(() => seen.push(reader.isSuperseded));
    table.load([], []);
    expect(seen).toEqual([false]);
    expect(reader.isSuperseded).toBe(true);
    stop();
    table.load([], []);
    expect(seen).toEqual([false]);
  });

  test('is plain data', () => {
    const table = new AllowlistTable({ seed: SEED });
    table.set(text('192.0.2.1/32'), id(1));
    const reader = new AllowlistReader(structuredClone(table.handle()));
    expect(reader.lookup(ipv4Source(0xc0000201))).toBe(1);
    table.set(text('192.0.2.2/32'), id(2));
    expect(reader.lookup(ipv4Source(0xc0000202))).toBe(2);
  });
});

describe('load', () => {
  test('replaces everything, counts the profiles and leaves the old memory as it was', () => {
    const table = new AllowlistTable({ seed: SEED });
    table.set(text('192.0.2.1/32'), id(1));
    table.set(text('10.0.0.0/8'), id(2));
    const old = new AllowlistReader(table.handle());
    const groups = [
      group([
        [text('192.0.2.2/32'), 0],
        [text('192.0.2.3/32'), 1],
        [text('192.0.2.4/32'), 1],
      ]),
      group([[text('2001:db8::/64'), 0]]),
      group([[text('2001:db8::5/128'), 1]]),
    ];
    const { added, removed, skipped } = table.load(groups, [id(7), id(9)]);
    const reader = new AllowlistReader(table.handle());
    expect([added[7], added[9], removed[1], removed[2], skipped]).toEqual([2, 3, 1, 1, 0]);
    expect(
      [0xc0000201, 0xc0000202, 0xc0000204, 0x0a000001].map((each) => reader.lookup(ipv4Source(each))),
    ).toEqual([0, 7, 9, 0]);
    expect(reader.lookup(source('2001:db8::1'))).toBe(7);
    expect(reader.lookup(source('2001:db8::5'))).toBe(9);
    expect([0xc0000201, 0x0a000001].map((each) => old.lookup(ipv4Source(each)))).toEqual([1, 2]);
    expect(table.size).toBe(5);
  });

  test('leaves out addresses from which no packet can come, and takes the last of duplicates', () => {
    const table = new AllowlistTable({ seed: SEED });
    const { bytes: zero } = parseAddress('0.0.0.0')!;
    const entries = [
      [{ family: 4, length: 32, bytes: zero }, 0],
      [text('192.0.2.2/32'), 0],
      [text('192.0.2.2/32'), 1],
    ] as const;
    const { added, skipped } = table.load([group(entries)], [id(1), id(2)]);
    expect([skipped, table.size, added[1], added[2]]).toEqual([1, 1, 0, 1]);
  });

  test('changes nothing if a group has an unsupported length', () => {
    const table = new AllowlistTable({ seed: SEED });
    table.set(text('192.0.2.1/32'), id(1));
    const handle = table.handle();
    const wrong = {
      family: 4,
      length: 7,
      count: 0,
      keys: new Uint8Array(),
      profiles: new Uint16Array(),
    } as const;
    expect(() => table.load([wrong], [])).toThrow(PrefixNotListableError);
    expect(table.handle()).toBe(handle);
  });
});
