import { expect, it } from 'vitest';
import { parseProxyUrl } from '../../src/net/index.ts';
import { canCarryQuic } from '../../src/relay/index.ts';

it('QUIC is carried only with direct connections to origins', () => {
  expect(canCarryQuic({ proxies: [] })).toBe(true);
  expect(canCarryQuic({ proxies: [parseProxyUrl('socks5://p:1')!] })).toBe(false);
});
