import { describe, expect, it } from 'vitest';
import { SpecialNames, SpecialUse } from '../../../src/dns/answer/special.ts';
import { question } from '../../catalog/support.ts';

const SEED = 3;
const names = new SpecialNames(SEED);
const useOf = (name: string): number => names.match(question(name, SEED));

describe('special-use names', () => {
  it.each([
    'use-application-dns.net',
    'mask.icloud.com',
    'mask-h2.icloud.com',
    'x.test',
    'test',
    'a.b.invalid',
    'xyz.onion',
    'alt',
    'resolver.arpa',
    '1.0.0.10.in-addr.arpa',
    '4.3.16.172.in-addr.arpa',
    '4.3.31.172.in-addr.arpa',
    '1.1.168.192.in-addr.arpa',
    '1.1.64.100.in-addr.arpa',
    '1.1.127.100.in-addr.arpa',
    '1.1.254.169.in-addr.arpa',
    '1.0.0.127.in-addr.arpa',
    `${'0.'.repeat(32)}ip6.arpa`,
    `1.${'0.'.repeat(31)}ip6.arpa`,
    `a.${'0.'.repeat(20)}0.8.e.f.ip6.arpa`,
    'x.d.f.ip6.arpa',
  ])('do not exist: %s', (name) => expect(useOf(name)).toBe(SpecialUse.NAME_ERROR));

  it.each(['localhost', 'a.b.localhost', 'LOCALHOST'])('are loopback: %s', (name) => {
    expect(useOf(name)).toBe(SpecialUse.LOOPBACK);
  });

  it.each(['local', 'internal', 'intranet', 'private', 'corp', 'home', 'lan', 'mail', 'localdomain'])(
    'stay at home: %s',
    (suffix) => {
      expect(useOf(suffix)).toBe(SpecialUse.NAME_ERROR);
      expect(useOf(`roku-living-room.${suffix.toUpperCase()}`)).toBe(SpecialUse.NAME_ERROR);
      expect(useOf(`_googlecast._tcp.${suffix}`)).toBe(SpecialUse.NAME_ERROR);
      expect(useOf(`${suffix}.example`)).toBe(SpecialUse.NONE);
      expect(useOf(`x${suffix}`)).toBe(SpecialUse.NONE);
    },
  );

  it.each(['home.arpa', 'service.arpa'])('do not exist but for DS: %s', (zone) => {
    expect(useOf(zone)).toBe(SpecialUse.NAME_ERROR_BUT_DS);
    expect(useOf(`default.${zone}`)).toBe(SpecialUse.NAME_ERROR_BUT_DS);
  });

  it.each([
    '.',
    'com',
    'icloud.com',
    'xmask.icloud.com',
    'testing',
    'test.example',
    'localhost.example',
    'arpa',
    'ipv4only.arpa',
    'in-addr.arpa',
    '1.1.15.172.in-addr.arpa',
    '1.1.32.172.in-addr.arpa',
    '1.1.63.100.in-addr.arpa',
    '1.1.128.100.in-addr.arpa',
    '1.1.1.11.in-addr.arpa',
    '8.8.8.8.in-addr.arpa',
    `2.${'0.'.repeat(31)}ip6.arpa`,
    'ip6.arpa',
  ])('are not: %s', (name) => expect(useOf(name)).toBe(0));

  it('say at which label they start', () => {
    useOf('a.b.onion');
    expect(names.matchedLabel).toBe(2);
    useOf('x.mask.icloud.com');
    expect(names.matchedLabel).toBe(1);
  });
});
