import { describe, expect, it } from 'vitest';
import { canonicalHostName } from '../../src/catalog/host-name.ts';
import { refuseExact, refuseSuffix } from '../../src/catalog/name-rule.ts';
import { CARRIER_SUFFIXES, PORTAL_NAMES } from '../../src/catalog/shared-suffix.ts';

describe('rejects what would pull in unrelated traffic', () => {
  it.each([
    'akamaized.net akamai.net akamaihd.net amazonaws.com cloudfront.net edgesuite.net edgekey.net fastly.net',
    'azureedge.net llnwd.net cloudflare.net googleapis.com windows.net footprint.net hwcdn.net cdn77.org',
    'jwpcdn.com brightcove.com',
  ])('rejects as suffixes: %s', (names) => {
    for (const name of names.split(' ')) {
      expect(refuseSuffix(name)?.reason, name).toBe('shared');
      expect(refuseExact(name)?.reason, name).toBe('shared');
      expect(refuseSuffix(`one.${name}`)?.reason, name).toBe('below-shared');
      expect(refuseExact(`one.${name}`), name).toBeNull();
    }
  });

  it.each(['com', 'uk', 'hbo'])('rejects the top-level domain %s', (name) => {
    expect(refuseSuffix(name)?.reason).toBe('top-level');
    expect(refuseExact(name)?.reason).toBe('top-level');
  });

  it.each(['co.uk', 'com.br', 'com.au', 'co.jp', 'ne.jp', 'or.kr', 'org.uk', 'gov.uk', 'me.uk'])(
    'rejects the registry %s',
    (name) => expect(refuseSuffix(name)?.reason).toBe('registry'),
  );

  it.each(['amazon.com', 'google.com', 'apple.com', 'go.com'])('rejects the portal %s', (name) => {
    expect(refuseSuffix(name)?.reason).toBe('portal');
  });

  it('rejects a name above a shared one', () => {
    expect(refuseSuffix('site.com')?.reason).toBe('above-shared');
    expect(refuseExact('site.com')).toBeNull();
  });
});

it.each(['netflix.com', 'bbc.co.uk', 'tv.apple.com', 'now.com', 'hulu.jp', 'nhk.or.jp'])(
  'takes %s',
  (name) => {
    expect(refuseSuffix(name)).toBeNull();
  },
);

it('has canonical lists', () => {
  for (const name of [...CARRIER_SUFFIXES, ...PORTAL_NAMES]) {
    expect(canonicalHostName(name).name, name).toBe(name);
    expect(name).toContain('.');
  }
});
