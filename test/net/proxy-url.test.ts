import { describe, expect, it } from 'vitest';
import { parseProxyUrl, proxyLabel } from '../../src/net/index.ts';

describe('the URL of a proxy', () => {
  it.each([
    ['socks5://10.0.0.1:1080', 'socks5', '10.0.0.1', 1080, null],
    ['HTTP://Proxy.Example:3128/', 'http', 'proxy.example', 3128, null],
    ['socks5://[2001:DB8::1]:1080', 'socks5', '2001:db8::1', 1080, null],
    ['http://user:secret@p:80', 'http', 'p', 80, ['user', 'secret']],
    ['socks5://ux:p%40ss%2F%C3%A9@p:1', 'socks5', 'p', 1, ['ux', 'p@ss/é']],
    ['socks5://a:b:c@p:1', 'socks5', 'p', 1, ['a', 'b:c']],
  ] as const)('%s is parsed', (text, scheme, host, port, credentials) => {
    const url = parseProxyUrl(text);
    expect(url).toMatchObject({ scheme, host, port });
    expect(url?.credentials && Object.values(url.credentials)).toEqual(credentials);
  });

  it.each([
    'socks5://p',
    'socks5://p:0',
    'socks5://p:65536',
    'socks5://:1080',
    'socks5://user@p:1',
    'socks5://user:@p:1',
    'socks5://:pass@p:1',
    'socks5://u:p%0d%0a@p:1',
    'socks5://u:%zz@p:1',
    'socks5://u%3Ax:p@p:1',
    `socks5://u:${'p'.repeat(256)}@p:1`,
    'socks5://[10.0.0.1]:1',
    'socks5://2001:db8::1:1',
    'socks5://a b:1',
    'socks5h://p:1',
    'socks4://p:1',
    'https://p:1',
    'http://p:1/path',
    'http://p:1?x',
    'p:1080',
    '',
  ])('%s is rejected', (text) => {
    expect(parseProxyUrl(text)).toBeNull();
  });

  it('is shown without credentials', () => {
    const label = (text: string) => proxyLabel(parseProxyUrl(text)!);
    expect(label('http://user:secret@proxy.example:3128')).toBe('http://proxy.example:3128');
    expect(label('socks5://user:secret@[2001:db8::1]:1080')).toBe('socks5://[2001:db8::1]:1080');
  });
});
