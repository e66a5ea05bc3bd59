import { describe, expect, test } from 'vitest';
import { NoSystemUpstreamError } from '../../src/resolver/errors.ts';
import { type LocalListener, readSystemUpstreams, type SystemUpstreams } from '../../src/resolver/system.ts';

function read(text: string, listeners: LocalListener[] = [], localAddresses: string[] = []): SystemUpstreams {
  return readSystemUpstreams({ path: '/etc/resolv.conf', readFile: () => text, listeners, localAddresses });
}

const urls = (found: SystemUpstreams): string[] => found.upstreams.map(({ url }) => url);

describe('the nameservers of resolv.conf', () => {
  test('are read in order, IPv6 with its zone, each once', () => {
    const text = [
      '# comment',
      ';nameserver 192.0.2.9',
      'search example',
      'nameserver 192.0.2.1',
      'nameserver\t2001:DB8::1   # trailing',
      'nameserver fe80::1%eth0',
      'nameserver 192.0.2.1',
      'options edns0',
    ].join('\n');
    expect(urls(read(text))).toEqual([
      'udp://192.0.2.1:53',
      'udp://[2001:db8::1]:53',
      'udp://[fe80::1%eth0]:53',
    ]);
  });

  test('that are not addresses are skipped and reported by line', () => {
    const found = read('nameserver dns.example\r\nnameserver 192.0.2.1\r\nnameserver 300.1.1.1\r\n');
    expect(urls(found)).toEqual(['udp://192.0.2.1:53']);
    expect(found.unreadableLines).toEqual([1, 3]);
  });

  test('are eight at most', () => {
    const lines = Array.from({ length: 20 }, (_, index) => `nameserver 192.0.2.${index + 1}`);
    expect(read(lines.join('\n')).upstreams).toHaveLength(8);
  });
});

describe('exclude our own listeners', () => {
  const NAMESERVERS = 'nameserver 127.0.0.1\nnameserver 192.0.2.7\nnameserver ::1\nnameserver 198.51.100.1';
  const own = (listeners: LocalListener[]): readonly string[] =>
    read(NAMESERVERS, listeners, ['192.0.2.7']).own;

  test.each<[string, LocalListener[], string[]]>([
    ['no listener', [], []],
    ['another port', [{ address: '127.0.0.1', port: 5300 }], []],
    ['one address', [{ address: '127.0.0.1', port: 53 }], ['127.0.0.1']],
    ['another loopback address', [{ address: '127.0.0.2', port: 53 }], []],
    ['an IPv6 address in another form', [{ address: '0:0:0:0:0:0:0:1', port: 53 }], ['::1']],
    ['all IPv4 addresses', [{ address: '0.0.0.0', port: 53 }], ['127.0.0.1', '192.0.2.7']],
    ['all addresses', [{ address: '::', port: 53 }], ['127.0.0.1', '192.0.2.7', '::1']],
  ])('a listener on %s', (_what, listeners, expected) => {
    expect(own(listeners)).toEqual(expected);
  });

  test('naming only ourselves is an error that says which file and what to do', () => {
    const listeners = [{ address: '127.0.0.1', port: 53 }];
    const reading = (): SystemUpstreams => read('nameserver 127.0.0.1\n', listeners);
    expect(reading).toThrow(NoSystemUpstreamError);
    expect(reading).toThrow(
      /^\/etc\/resolv\.conf: found only this process itself \(127\.0\.0\.1\), expected .* set upstreams/,
    );
  });
});

test.each([
  ['has no nameserver', () => 'search example\n', /found no nameserver/],
  [
    'cannot be read',
    (): string => {
      throw Object.assign(new Error('no'), { code: 'ENOENT' });
    },
    /cannot be read \(ENOENT\)/,
  ],
])('a file that %s is an error', (_what, readFile, message) => {
  const options = { path: '/etc/resolv.conf', readFile, listeners: [], localAddresses: [] };
  expect(() => readSystemUpstreams(options)).toThrow(message);
});
