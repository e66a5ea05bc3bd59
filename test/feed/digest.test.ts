import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Change,
  decodeSnapshot,
  digestSnapshot,
  encodeSnapshot,
  hashProfile,
  ListDigest,
  mergeSnapshot,
  type Prefix,
  type Profile,
  profileOfText,
  profileText,
  type Snapshot,
} from '../../src/feed/index.ts';

const EMPTY: Snapshot = { version: 1, epoch: 'e', seq: 0, profiles: [], groups: [] };

const profile: fc.Arbitrary<Profile> = fc.record(
  {
    region: fc.constantFrom('us', 'gb'),
    services: fc.constantFrom({}, { hulu: 'off' }, { netflix: 'gb', hulu: 'us' }),
    ipv4: fc.boolean(),
    ipv6: fc.boolean(),
    told: fc.constant(true),
  },
  { requiredKeys: ['region', 'services', 'ipv4', 'ipv6'] },
);

/** Few prefixes, so that changes collide. */
const prefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .nat(5)
    .map((last) => ({ family: 4 as const, length: 32, bytes: Uint8Array.of(198, 51, 99, 250 + last) })),
  fc.nat(3).map((last) => {
    const bytes = new Uint8Array(16);
    bytes.set([0x2a, 0, 0xff, 0, 0, 0, 0xfe, last]);
    return { family: 6 as const, length: 64, bytes };
  }),
  fc.nat(3).map((last) => {
    const bytes = new Uint8Array(16).fill(0xee);
    bytes[15] = last;
    return { family: 6 as const, length: 128, bytes };
  }),
);

const change = fc.record({ prefix, profile: fc.option(profile) });

function numbered(changes: readonly { prefix: Prefix; profile: Profile | null }[], after: number): Change[] {
  return changes.map(({ prefix: where, profile: what }, index) => {
    const seq = after + index + 1;
    return what === null
      ? { seq, kind: 'remove', prefix: where }
      : { seq, kind: 'set', prefix: where, profile: what };
  });
}

function keyOf({ family, length, bytes }: Prefix): string {
  return `${family}/${length}/${bytes.join('.')}`;
}

function entriesOf(snapshot: Snapshot): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { family, length, count, keys, profiles } of snapshot.groups) {
    const width = keys.length / count;
    for (let index = 0; index < count; index++) {
      const bytes = new Uint8Array(family === 4 ? 4 : 16);
      bytes.set(keys.subarray(index * width, (index + 1) * width));
      entries.set(keyOf({ family, length, bytes }), profileText(snapshot.profiles[profiles[index]]));
    }
  }
  return entries;
}

describe('a snapshot merged with changes', () => {
  it('equals the allowlist that the changes make, in any batches, with its digest', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.nat(40), (all, cut) => {
        const changes = numbered(all, 0);
        const model = new Map<string, { prefix: Prefix; profile: Profile }>();
        for (const one of changes) {
          if (one.kind === 'set') model.set(keyOf(one.prefix), one);
          else model.delete(keyOf(one.prefix));
        }
        const first = mergeSnapshot(EMPTY, changes.slice(0, cut));
        const merged = mergeSnapshot(decodeSnapshot(encodeSnapshot(first)), changes.slice(cut));
        expect(merged.seq).toBe(changes.length);
        const expected = [...model].map(([key, { profile: what }]) => [key, profileText(what)]);
        expect([...entriesOf(merged)].sort()).toEqual(expected.sort());
        expect(merged.groups.every(({ count }) => count > 0)).toBe(true);
        const used = new Set(entriesOf(merged).values());
        expect(merged.profiles.map(profileText).sort()).toEqual([...used].sort());
        const digest = new ListDigest();
        for (const { prefix: where, profile: what } of model.values()) {
          digest.addPrefix(where, hashProfile(what));
        }
        expect(digestSnapshot(merged)).toBe(digest.toString());
      }),
    );
  });
});

describe('a digest', () => {
  it('returns to its former value when added entries are subtracted in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ prefix, profile }), { maxLength: 20 }), (entries) => {
        const digest = new ListDigest();
        for (const one of entries) digest.addPrefix(one.prefix, hashProfile(one.profile));
        for (const one of entries.toReversed()) digest.subtractPrefix(one.prefix, hashProfile(one.profile));
        expect(digest.toString()).toBe('0.0');
      }),
    );
  });

  it('differs by address, length, family and profile', () => {
    const bytes = Uint8Array.of(198, 51, 99, 0);
    const us: Profile = { region: 'us', services: {}, ipv4: true, ipv6: false };
    const digests = [
      [{ family: 4 as const, length: 32, bytes }, us],
      [{ family: 4 as const, length: 24, bytes }, us],
      [{ family: 4 as const, length: 32, bytes: Uint8Array.of(198, 51, 99, 1) }, us],
      [
        { family: 4 as const, length: 32, bytes },
        { ...us, region: 'gb' },
      ],
      [
        { family: 4 as const, length: 32, bytes },
        { ...us, ipv6: true },
      ],
    ].map(([where, what]) => {
      const digest = new ListDigest();
      digest.addPrefix(where as Prefix, hashProfile(what as Profile));
      return digest.toString();
    });
    expect(new Set(digests).size).toBe(digests.length);
  });
});

it('writes profiles that were seen as releases without `told` do', () => {
  const seen: Profile = { region: 'us', services: {}, ipv4: true, ipv6: false };
  expect(profileText(seen)).toBe('["us",[],1,0]');
  expect(profileText({ ...seen, told: true })).toBe('["us",[],1,0,1]');
  expect(profileOfText('["us",[],1,0,1]')).toEqual({ ...seen, told: true });
});
