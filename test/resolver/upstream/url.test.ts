import { describe, expect, test } from 'vitest';
import { UpstreamUrlError } from '../../../src/resolver/errors.ts';
import { parseUpstream } from '../../../src/resolver/upstream/url.ts';

describe('parseUpstream', () => {
  test.each([
    ['udp://192.0.2.53:5353', { scheme: 'udp', address: '192.0.2.53', family: 4, port: 5353 }],
    ['udp://192.0.2.53', { scheme: 'udp', address: '192.0.2.53', family: 4, port: 53 }],
    ['tcp://[::1]:53', { scheme: 'tcp', address: '::1', family: 6, port: 53 }],
    ['udp://[2001:DB8:0::53]', { scheme: 'udp', address: '2001:db8::53', family: 6, port: 53 }],
    ['udp://[fe80::1%eth0]:53', { scheme: 'udp', address: 'fe80::1%eth0', family: 6, port: 53 }],
  ])('takes %s', (url, expected) => {
    expect(parseUpstream(url)).toEqual({ url, ...expected });
  });

  test.each([
    ['192.0.2.53'],
    ['udp://'],
    ['udp://dns.example'],
    ['udp://2001:db8::53'],
    ['udp://[192.0.2.53]'],
    ['udp://192.0.2.053'],
    ['udp://192.0.2.53:0'],
    ['udp://192.0.2.53:65536'],
    ['udp://192.0.2.53/'],
    ['udp://[2001:db8::1%eth0]'],
    ['udp://[fe80::1%eth0/../x]'],
    ['udp://192.0.2.53#dns.example'],
    ['tls://192.0.2.53'],
    ['UDP://192.0.2.53'],
  ])('refuses %s, saying what was found and what was expected', (url) => {
    expect(() => parseUpstream(url)).toThrow(UpstreamUrlError);
    expect(() => parseUpstream(url)).toThrow(/^found ".*", expected /);
  });
});
