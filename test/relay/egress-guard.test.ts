import { describe, expect, it } from 'vitest';
import { addressFromBytes, parseAddress } from '../../src/net/index.ts';
import { EgressGuard, type EgressRules } from '../../src/relay/egress-guard.ts';

const RULES: EgressRules = {
  ownAddresses: ['198.41.0.10', '10.1.2.3', '2606:4700::10'],
  listeners: ['198.41.0.10:443', '127.0.0.1:8443', '0.0.0.0:53', '[2606:4700::10]:443'],
  allowPrivate: false,
};
const strict = new EgressGuard(RULES);
const trial = new EgressGuard({ ...RULES, allowPrivate: true });
const at = (text: string) => parseAddress(text)!;

/** Tried as IPv4 and in every notation of IPv4 in IPv6. */
const IPV4 = [
  '127.0.0.1',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
];
const hex = (ipv4: string) => {
  const [a, b, c, d] = ipv4.split('.').map(Number);
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
};

describe('the egress guard', () => {
  it.each([
    ...IPV4.flatMap((ipv4) => [
      ipv4,
      `::ffff:${ipv4}`,
      `::${ipv4}`,
      `64:ff9b::${ipv4}`,
      `64:ff9b:1::${ipv4}`,
      `2002:${hex(ipv4)}::1`,
      `2001:0:4136:e378:8000:63bf:${hex(ipv4)}`,
    ]),
    ...['::1', '::', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'fec0::1', 'ff02::1', '2001:db8::1', '100::1'],
    ...['224.0.0.1', '255.255.255.255', '192.0.2.1', '198.18.0.1', '240.0.0.1', '168.63.129.16'],
    ...['64:ff9b::8.8.8.8', '2002:808:808::1'],
  ])('rejects %s', (text) => {
    expect(strict.allows(at(text), 443)).toBe(false);
  });

  it.each(['8.8.8.8', '198.41.0.11', '2606:4700::11', '::ffff:8.8.8.8'])('allows %s', (text) => {
    expect(strict.allows(at(text), 443)).toBe(true);
  });

  it('treats an IPv4-mapped AAAA as the IPv4 address', () => {
    const mapped = addressFromBytes(Uint8Array.from([...new Array(10).fill(0), 255, 255, 127, 0, 0, 1]));
    expect(strict.allows(mapped, 443)).toBe(false);
  });

  it('rejects own addresses, on every port', () => {
    for (const text of ['198.41.0.10', '2606:4700::10', '::ffff:198.41.0.10']) {
      expect(strict.allows(at(text), 443)).toBe(false);
      expect(strict.allows(at(text), 80)).toBe(false);
      expect(trial.allows(at(text), 80)).toBe(false);
    }
  });

  it('with allowPrivate allows private and loopback addresses, except own listeners and metadata', () => {
    for (const text of ['127.0.0.1', '10.0.0.1', 'fd00::1', '::1'])
      expect(trial.allows(at(text), 444)).toBe(true);
    expect(trial.allows(at('127.0.0.1'), 8443)).toBe(false);
    expect(trial.allows(at('127.0.0.9'), 53)).toBe(false);
    expect(trial.allows(at('10.1.2.3'), 53)).toBe(false);
    expect(trial.allows(at('10.1.2.4'), 53)).toBe(true);
    for (const text of ['169.254.169.254', 'fd00:ec2::254', '100.64.0.1', '0.0.0.0', '64:ff9b::127.0.0.1']) {
      expect(trial.allows(at(text), 444)).toBe(false);
    }
  });
});
