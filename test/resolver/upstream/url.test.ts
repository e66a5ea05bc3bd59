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
    ['tls://192.0.2.53', { scheme: 'tls', address: '192.0.2.53', family: 4, port: 853 }],
    [
      'tls://[::1]:8853#dns.example',
      { scheme: 'tls', address: '::1', family: 6, port: 8853, serverName: 'dns.example' },
    ],
    ['https://192.0.2.53', { scheme: 'https', address: '192.0.2.53', family: 4, port: 443 }],
    [
      'https://192.0.2.53/q#dns.example',
      { scheme: 'https', address: '192.0.2.53', family: 4, port: 443, serverName: 'dns.example', path: '/q' },
    ],
  ])('takes %s', (url, expected) => {
    expect(parseUpstream(url)).toEqual({ url, serverName: null, path: '/dns-query', ...expected });
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
    ['tls://192.0.2.53/path'],
    ['tls://192.0.2.53#'],
    ['tls://192.0.2.53#-x'],
    ['https://dns.example/dns-query'],
    ['https://192.0.2.53/dns-query?x=1'],
    ['UDP://192.0.2.53'],
  ])('refuses %s, saying what was found and what was expected', (url) => {
    expect(() => parseUpstream(url)).toThrow(UpstreamUrlError);
    expect(() => parseUpstream(url)).toThrow(/^found ".*", expected /);
  });
});
