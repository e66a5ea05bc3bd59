import { describe, expect, it } from 'vitest';
import { HostName, readHostName } from '../../src/relay/host-name.ts';
import { hashSuffixes, nameFromText } from '../../src/wire/index.ts';

const SEED = 77;

function read(text: string): string | null {
  const bytes = Buffer.from(`<${text}>`, 'latin1');
  const out = new HostName();
  if (!readHostName(bytes, 1, bytes.length - 1, SEED, out)) return null;
  return Buffer.from(out.name.bytes.subarray(0, out.name.length)).toString('latin1');
}

describe('a host name', () => {
  it('is parsed as wire/ parses names, in any case', () => {
    for (const text of ['films.example', 'WWW.Films.EXAMPLE', 'a_b.x--y.films.example', 'com']) {
      const wire = nameFromText(text)!;
      expect(read(text)).toBe(Buffer.from(wire).toString('latin1'));
      const out = new HostName();
      readHostName(Buffer.from(text), 0, text.length, SEED, out);
      const hashes = new Int32Array(128);
      hashSuffixes(out.name, SEED, hashes);
      expect(out.hashes.subarray(0, out.name.labelCount + 1)).toEqual(
        hashes.subarray(0, out.name.labelCount + 1),
      );
    }
  });

  it.each([
    ['an IPv4 address', '192.0.2.1'],
    ['a short form of one', '127.1'],
    ['a number', '2130706433'],
    ['a hexadecimal one', '0x7f.0.0.0x1'],
    ['an IPv6 address', '::1'],
    ['one in brackets', '[::1]'],
    ['a mapped one', '::ffff:127.0.0.1'],
    ['a dot at the end', 'films.example.'],
    ['a dot at the start', '.films.example'],
    ['an empty label', 'films..example'],
    ['NUL', 'films.example\0.evil.example'],
    ['a space', 'films .example'],
    ['a port', 'films.example:443'],
    ['a wildcard', '*.films.example'],
    ['Unicode', 'f\u00fclms.example'],
    ['a label of 64', `${'a'.repeat(64)}.example`],
    ['more than 253', `${'a.'.repeat(126)}bb`],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(read(text)).toBeNull();
  });

  it('may have 63 bytes in a label and 253 in all', () => {
    expect(read(`${'a'.repeat(63)}.example`)).not.toBeNull();
    expect(read(`${'a.'.repeat(126)}b`)).not.toBeNull();
  });
});
