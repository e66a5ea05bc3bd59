import { describe, expect, it } from 'vitest';
import {
  assertAllowedTarget,
  LoadPlanError,
  parseAllowList,
  sourcesOf,
  TargetRefusedError,
} from '../../src/load/index.ts';
import { sourceText } from '../../src/load/sources.ts';
import { parseAddress, parsePrefix } from '../../src/net/index.ts';

const address = (text: string) => parseAddress(text)!;

describe('a target', () => {
  it.each([['127.0.0.1'], ['127.255.0.9'], ['::1'], ['::ffff:127.0.0.1']])('may be loopback: %s', (text) => {
    expect(() => assertAllowedTarget(address(text), [])).not.toThrow();
  });

  it.each([['192.0.2.1'], ['8.8.8.8'], ['10.0.0.1'], ['0.0.0.0'], ['::'], ['2001:db8::1'], ['fe80::1']])(
    'is refused where nobody has named it: %s',
    (text) => {
      expect(() => assertAllowedTarget(address(text), [address('192.0.2.2')])).toThrow(TargetRefusedError);
    },
  );

  it('may be named in a list, one a line', () => {
    const list = parseAllowList('# edges\n192.0.2.1\n\n 2001:db8::1 # one more\n', 'allow.txt');
    expect(() => assertAllowedTarget(address('192.0.2.1'), list)).not.toThrow();
    expect(() => assertAllowedTarget(address('2001:db8:0::1'), list)).not.toThrow();
    expect(() => assertAllowedTarget(address('192.0.2.9'), list)).toThrow(/192\.0\.2\.9 .*--allow/);
  });

  it('cannot be named by a prefix or other text', () => {
    expect(() => parseAllowList('192.0.2.1\n0.0.0.0/0\n', 'allow.txt')).toThrow(
      'allow.txt:2: found "0.0.0.0/0", expected an IP address',
    );
  });
});

describe('sources', () => {
  it('are all addresses of their prefixes, in order', () => {
    const sources = sourcesOf([parsePrefix('127.0.1.254/31')!, parsePrefix('127.9.0.0/22')!], 4);
    expect(sources.count).toBe(2 + 1024);
    const texts = [0, 1, 2, 3, 258, 1025].map((i) => sourceText(sources, i));
    expect(texts).toEqual([
      '127.0.1.254',
      '127.0.1.255',
      '127.9.0.0',
      '127.9.0.1',
      '127.9.1.0',
      '127.9.3.255',
    ]);
    expect(sourceText(sourcesOf([parsePrefix('2001:db8::/112')!], 6), 0x1ff)).toBe('2001:db8::1ff');
  });

  it('are at most 65,536, of the family of the target', () => {
    expect(sourcesOf([parsePrefix('127.1.0.0/16')!], 4).count).toBe(65_536);
    expect(() => sourcesOf([parsePrefix('127.0.0.0/8')!], 4)).toThrow(LoadPlanError);
    expect(() => sourcesOf([parsePrefix('::1/128')!], 4)).toThrow(/IPv6/);
  });
});
