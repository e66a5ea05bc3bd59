import { describe, expect, it } from 'vitest';
import { contains, formatPrefix, type Prefix } from '../../src/net/index.ts';
import { registrable } from '../../src/registry/registrable.ts';
import { address } from './support.ts';

function registered(text: string, options: { allowPrivate?: boolean; own?: string[] } = {}): string | null {
  const prefix = registrable(address(text), {
    allowPrivate: options.allowPrivate ?? false,
    isOwn: (wanted: Prefix) => (options.own ?? []).some((own) => contains(wanted, address(own))),
  });
  return prefix && formatPrefix(prefix);
}

describe('a registrable address', () => {
  it('is a public address, IPv6 by its /64', () => {
    expect(registered('198.51.99.7')).toBe('198.51.99.7/32');
    expect(registered('::ffff:198.51.99.7')).toBe('198.51.99.7/32');
    expect(registered('2a00:1450:1:2:3:4:5:6')).toBe('2a00:1450:1:2::/64');
  });

  it.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '192.168.1.1',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    'fc00::1',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
    '64:ff9b::a00:1',
  ])('is not %s', (text) => {
    expect(registered(text)).toBeNull();
  });

  it('is never one of the service, nor the /64 around it', () => {
    const own = ['198.51.99.7', '2a00:1450:1:2::53'];
    expect(registered('198.51.99.7', { own })).toBeNull();
    expect(registered('198.51.99.8', { own })).toBe('198.51.99.8/32');
    expect(registered('2a00:1450:1:2:ffff::1', { own })).toBeNull();
    expect(registered('2a00:1450:1:3::1', { own })).toBe('2a00:1450:1:3::/64');
  });

  it('may be one of a trial with allowPrivate, and no others', () => {
    for (const text of [
      '10.0.0.1',
      '192.168.1.1',
      '127.0.0.9',
      '169.254.1.1',
      '100.64.0.1',
      '::1',
      'fc00::1',
    ]) {
      expect(registered(text, { allowPrivate: true }), text).not.toBeNull();
    }
    for (const text of ['203.0.113.1', '224.0.0.1', '0.0.0.0', '240.0.0.1', '2001:db8::1', 'ff02::1', '::']) {
      expect(registered(text, { allowPrivate: true }), text).toBeNull();
    }
  });

  it('may be the loopback listener with allowPrivate, but no other own address', () => {
    const own = ['127.0.0.1', '10.0.0.1'];
    expect(registered('127.0.0.1', { allowPrivate: true, own })).toBe('127.0.0.1/32');
    expect(registered('10.0.0.1', { allowPrivate: true, own })).toBeNull();
  });
});
