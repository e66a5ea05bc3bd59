import fc from 'fast-check';
import { afterEach, describe, expect } from 'vitest';
import { COUNTS_BYTES, shieldProgram } from '../../../../src/dns/udp/shield/program.ts';
import { type PrefixGroup, SourceSet } from '../../../../src/dns/udp/shield/source-set.ts';
import {
  addressFromBytes,
  contains,
  parseAddress,
  parsePrefix,
  prefixOf,
} from '../../../../src/net/index.ts';
import { BpfError, BpfMap, BpfMapType, loadSocketFilter } from '../../../../src/sys/bpf/index.ts';
import { closeSocket } from '../../../../src/sys/index.ts';
import { addressIn, promises as promisesWith, refusal, runFilter } from './kernel.ts';

const SEED = 0x5eed1234;
const promises = (what: string, body: () => void): void =>
  promisesWith(what, body, () => {
    expect(refusal).toBeInstanceOf(BpfError);
    expect(refusal!.reason).toMatch(/CAP_BPF|kernel|memory/);
  });

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const resource of opened.splice(0)) resource.close();
});
const keep = <T extends { close(): void }>(resource: T): T => {
  opened.push(resource);
  return resource;
};

/** A filter with these prefixes that passes `share` of the others. */
function filterOf(family: 4 | 6, prefixes: readonly string[], share = 0) {
  const parsed = prefixes.map((text) => parsePrefix(text)!);
  const lengths = [...new Set(parsed.map(({ length }) => length))];
  const sources = keep(new SourceSet(parsed.length, parsed, SEED));
  for (const prefix of parsed) expect(sources.add(prefix)).toBe(true);
  return filterOver(sources, family, lengths, share);
}

function filterOver(sources: SourceSet, family: 4 | 6, lengths: readonly number[], share = 0) {
  const one = { keyBytes: 4, maxEntries: 1 };
  const control = keep(new BpfMap({ ...one, type: BpfMapType.ARRAY, name: 'c', valueBytes: 4 }));
  const counts = keep(
    new BpfMap({ ...one, type: BpfMapType.PER_CPU_ARRAY, name: 'n', valueBytes: COUNTS_BYTES }),
  );
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, share * 0xffffffff, true);
  control.set(new Uint8Array(4), word);
  const program = loadSocketFilter('test', shieldProgram(family, lengths, sources, control.fd, counts.fd));
  keep({ close: () => closeSocket(program) });
  return { counts, passes: (source: string) => runFilter(program, source) !== 0 };
}

describe('the filter', () => {
  promises('passes listed IPv4 addresses and no others', () => {
    const { passes, counts } = filterOf(4, ['198.51.100.7/32', '203.0.113.200/32']);
    expect(['198.51.100.7', '203.0.113.200'].every(passes)).toBe(true);
    expect(['198.51.100.6', '7.100.51.198', '203.0.113.0', '0.0.0.0'].some(passes)).toBe(false);
    expect([counts.sum(0, 0), counts.sum(0, 8)]).toEqual([4, 0]);
  });

  promises('passes all addresses of a listed IPv6 /64', () => {
    const { passes } = filterOf(6, ['2001:db8:1:2::/64']);
    expect(passes('2001:db8:1:2::1')).toBe(true);
    expect(passes('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(true);
    expect(passes('2001:db8:1:3::1')).toBe(false);
  });

  promises('knows prefixes of several lengths at once', () => {
    const { passes } = filterOf(6, [
      '2001:db8::/32',
      '2001:db9:1::/48',
      '2001:dba::1/128',
      '2001:dbb::f0/124',
    ]);
    expect(['2001:db8:9::9', '2001:db9:1:2::3', '2001:dba::1', '2001:dbb::fe'].every(passes)).toBe(true);
    expect(['2001:db9:2::1', '2001:dba::2', '2001:dbb::e'].some(passes)).toBe(false);
  });

  promises('agrees with the prefixes for any family, length and address', () => {
    const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
    const cases = fc.constantFrom(4 as const, 6 as const).chain((family) => {
      const [size, least, most] = family === 4 ? [4, 8, 32] : [16, 16, 128];
      const length = fc.integer({ min: least, max: most });
      return fc.tuple(fc.constant(family), bytes(size), length, bytes(size), fc.nat(most - 1));
    });
    fc.assert(
      fc.property(cases, ([family, bytes, length, rest, bit]) => {
        const prefix = prefixOf(addressFromBytes(bytes), length);
        // IPv4-mapped addresses count as IPv4.
        fc.pre(prefix.family === family);
        const { passes } = filterOf(family, []);
        const listed = filterOf(family, [`${addressIn(prefix, new Uint8Array(16))}/${length}`]);
        const inside = addressIn(prefix, rest);
        const flipped = Uint8Array.from(parseAddress(inside)!.bytes);
        flipped[bit >> 3] ^= 0x80 >> (bit & 7);
        const other = addressFromBytes(flipped);
        fc.pre(other.family === family && parseAddress(inside)!.family === family);
        expect(listed.passes(inside)).toBe(true);
        expect(
          listed.passes(addressIn({ ...prefix, bytes: flipped, length: prefix.bytes.length * 8 }, rest)),
        ).toBe(contains(prefix, other));
        expect(passes(inside)).toBe(false);
        for (const resource of opened.splice(0)) resource.close();
      }),
      { numRuns: 60 },
    );
  });

  promises('lets its share of the others pass, and counts both', () => {
    const { passes, counts } = filterOf(4, ['198.51.100.7/32'], 0.25);
    let passed = 0;
    for (let i = 0; i < 2000; i++) if (passes(`203.0.${i >> 8}.${i & 255}`)) passed += 1;
    // Six standard deviations of 2,000 draws at 1 in 4 are 116.
    expect(Math.abs(passed - 500)).toBeLessThan(117);
    expect([counts.sum(0, 0), counts.sum(0, 8)]).toEqual([2000 - passed, passed]);
    const all = filterOf(4, [], 1);
    for (let i = 0; i < 100; i++) expect(all.passes('203.0.113.1')).toBe(true);
  });
});

/** `count` addresses from 10.0.0.0 on. */
function groupOf(count: number): PrefixGroup {
  const keys = new Uint8Array(count * 4);
  for (let i = 0; i < count; i++) new DataView(keys.buffer).setUint32(i * 4, 0x0a000000 + i);
  return { family: 4, length: 32, count, keys };
}

describe('the set of sources', () => {
  promises('has all of a list, and seems to have few others', () => {
    const group = groupOf(200_000);
    const sources = keep(new SourceSet(group.count, [group], SEED));
    for (let first = 0; first < group.count; ) first += sources.noteFrom(group, first);
    for (let first = 0; first < sources.lines; ) first += sources.uploadFrom(first);
    expect(sources.entries).toBe(group.count);
    const { passes } = filterOver(sources, 4, [32]);
    for (let i = 0; i < group.count; i += 97) {
      expect(passes(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)).toBe(true);
    }
    let seeming = 0;
    for (let i = 0; i < 4000; i++) if (passes(`11.${i >> 8}.7.${i & 255}`)) seeming += 1;
    // 16 bits or more a prefix: fewer than one in a hundred.
    expect(seeming).toBeLessThan(40);
  });

  promises('takes 2 to 4 bytes a prefix', () => {
    const million = keep(new SourceSet(1_000_000, [{ family: 4, length: 32 }], SEED));
    expect(million.bytes / 1e6).toBeLessThanOrEqual(4.2);
    expect(million.bytes / 1e6).toBeGreaterThanOrEqual(2);
  });

  promises('has no room for a length that the filter does not look for, nor past twice its size', () => {
    const sources = keep(new SourceSet(0, [{ family: 4, length: 32 }], SEED));
    expect(sources.add(parsePrefix('10.0.0.0/8')!)).toBe(false);
    const room = sources.bytes;
    const group = groupOf(room);
    for (let first = 0; first < room; ) first += sources.noteFrom(group, first);
    expect(sources.add(parsePrefix('10.0.0.1/32')!)).toBe(false);
  });
});
