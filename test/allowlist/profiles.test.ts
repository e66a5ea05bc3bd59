import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProfileLimitReachedError, Profiles } from '../../src/allowlist/index.ts';
import type { Profile } from '../../src/feed/index.ts';

const US: Profile = { region: 'us', services: {}, ipv4: true, ipv6: false };

function profile(region: string): Profile {
  return { ...US, region };
}

/** Readers that finish their batch when the test says so. */
function setUp(limit?: number) {
  const batches: (() => void)[] = [];
  const quiesce = () => new Promise<void>((resolve) => void batches.push(resolve));
  const profiles = new Profiles({ quiesce, ...(limit ? { limit } : {}) });
  const finishBatches = async (): Promise<void> => {
    for (const resolve of batches.splice(0)) resolve();
    await new Promise(setImmediate);
  };
  return { profiles, finishBatches };
}

describe('Profiles', () => {
  test('gives equal profiles one id, in any order of services', () => {
    const { profiles } = setUp();
    const services = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });
    fc.assert(
      fc.property(services, (choices) => {
        const turned = Object.fromEntries(Object.entries(choices).reverse());
        const id = profiles.intern({ ...US, services: choices });
        expect(profiles.intern({ ipv6: false, ipv4: true, services: turned, region: 'us' })).toBe(id);
        expect(profiles.get(id).services).toEqual(choices);
      }),
    );
  });

  test('gives different ids to profiles that differ in anything', () => {
    const { profiles } = setUp();
    const others: Profile[] = [
      US,
      { ...US, region: 'gb' },
      { ...US, ipv4: false },
      { ...US, ipv6: true },
      { ...US, told: true },
      { ...US, services: { a: 'b' } },
      { ...US, services: { b: 'a' } },
      { ...US, services: { a: 'off' } },
    ];
    expect(new Set(others.map((each) => profiles.intern(each))).size).toBe(others.length);
  });

  test('numbers from 1 and keeps an immutable copy', () => {
    const { profiles } = setUp();
    const services: Record<string, string> = { netflix: 'gb' };
    const id = profiles.intern({ ...US, services });
    services['netflix'] = 'us';
    expect(id).toBe(1);
    expect(profiles.get(id).services['netflix']).toBe('gb');
    expect(Object.isFrozen(profiles.get(id).services)).toBe(true);
  });

  test('tells listeners each id once, including earlier ones', () => {
    const { profiles } = setUp();
    const told: string[] = [];
    profiles.intern(US);
    const stop = profiles.onInterned((id, { region }) => told.push(`${id} ${region}`));
    profiles.intern(profile('gb'));
    profiles.intern(US);
    stop();
    profiles.intern(profile('fr'));
    expect(told).toEqual(['1 us', '2 gb']);
  });

  test('reuses the id unused for longest, once all readers have finished a batch', async () => {
    const { profiles, finishBatches } = setUp(2);
    const first = profiles.intern(profile('a'));
    const second = profiles.intern(profile('b'));
    profiles.release(second);
    profiles.release(first);
    expect(() => profiles.intern(profile('c'))).toThrow(ProfileLimitReachedError);
    await finishBatches();
    expect(profiles.intern(profile('c'))).toBe(second);
    await finishBatches();
    expect(profiles.intern(profile('d'))).toBe(first);
    expect(() => profiles.intern(profile('e'))).toThrow(ProfileLimitReachedError);
  });

  test('does not reuse an id that was used again during the batch', async () => {
    const { profiles, finishBatches } = setUp(1);
    const id = profiles.intern(US);
    profiles.release(id);
    profiles.intern(US);
    profiles.release(id);
    await finishBatches();
    expect(() => profiles.intern(profile('gb'))).toThrow(ProfileLimitReachedError);
    await finishBatches();
    expect(profiles.intern(profile('gb'))).toBe(id);
  });

  test('gives a returning profile its old id', async () => {
    const { profiles, finishBatches } = setUp(1);
    const id = profiles.intern(US);
    profiles.release(id);
    expect(profiles.size).toBe(0);
    await finishBatches();
    expect(profiles.intern(US)).toBe(id);
    expect(profiles.size).toBe(1);
    expect(() => profiles.intern(profile('gb'))).toThrow(ProfileLimitReachedError);
  });

  test('counts references', async () => {
    const { profiles, finishBatches } = setUp(1);
    const id = profiles.intern(US);
    profiles.retain(id, 2);
    profiles.release(id, 2);
    await finishBatches();
    expect(() => profiles.intern(profile('gb'))).toThrow(ProfileLimitReachedError);
    profiles.release(id);
    expect(() => profiles.release(id)).toThrow(RangeError);
  });

  test('holds 65,534 profiles at once and reports the limit at the next', () => {
    const { profiles } = setUp();
    for (let index = 0; index < 65_534; index++) profiles.intern(profile(String(index)));
    expect(() => profiles.intern(profile('one more'))).toThrow('65534 distinct profiles');
    expect(profiles.intern(profile('7'))).toBe(8);
  });
});
