import { describe, expect, it } from 'vitest';
import { ServerCookies } from '../../../src/dns/answer/cookies.ts';
import { SipHash } from '../../../src/dns/answer/siphash.ts';
import { parseAddress, readWord } from '../../../src/net/index.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

function complete(secrets: string[], atSeconds: number, address: string, cookie: string): string {
  const { family, bytes } = parseAddress(address)!;
  const source = new Int32Array(4);
  for (let i = 0; i < bytes.length / 4; i++) source[i] = readWord(bytes, i * 4);
  const buffer = new Uint8Array(40);
  buffer.set(hex(cookie));
  new ServerCookies(secrets.map(hex), () => atSeconds * 1000).complete(
    buffer,
    cookie.length / 2,
    family,
    source,
  );
  return Buffer.from(buffer.subarray(8, 24)).toString('hex');
}

describe('SipHash-2-4', () => {
  it('gives the values of its authors', () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => i);
    const input = Uint8Array.from({ length: 64 }, (_, i) => i);
    const hash = new SipHash(key);
    const of = (length: number): string => {
      hash.digest(input, length);
      return Buffer.from(hash.hash.buffer).toString('hex');
    };
    expect([0, 1, 15, 63].map(of)).toEqual([
      '310e0edd47db6f72',
      'fd67dc93c539f874',
      'e545be4961ca29a1',
      '724506eb4c328a95',
    ]);
  });
});

describe('server cookies (RFC 9018 appendix A)', () => {
  const SECRET = 'e5e973e5a6b2a43f48e7dc849e37bfcf';

  it('A.1: a new one for a client that has none', () => {
    expect(complete([SECRET], 1559731985, '198.51.100.100', '2464c4abcf10c957')).toBe(
      '010000005cf79f111f8130c3eee29480',
    );
  });

  it('A.2: one that is older than half an hour is renewed', () => {
    const cookie = '2464c4abcf10c957010000005cf79f111f8130c3eee29480';
    expect(complete([SECRET], 1559734385, '198.51.100.100', cookie)).toBe('010000005cf7a871d4a564a1442aca77');
  });

  it('A.3: one with reserved bytes is verified with them, and given back without', () => {
    const cookie = 'fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5';
    const renewed = complete([SECRET], 1559734700, '203.0.113.203', cookie);
    expect(renewed).toBe('010000005cf7a9acf73a7810aca2381e');
  });

  it('A.4: of an IPv6 client, made with the secret before', () => {
    const secrets = ['445536bcd2513298075a5d379663c962', 'dd3bdf9344b678b185a6f5cb60fca715'];
    const cookie = '22681ab97d52c298010000005cf7c57926556bd0934c72f8';
    expect(complete(secrets, 1559741961, '2001:db8:220:1:59de:d0f4:8769:82b8', cookie)).toBe(
      '010000005cf7c609a6bb79d16625507a',
    );
  });

  it('4.3: a young one stays as it is; of another source, another client, the future or yesterday none is valid', () => {
    const made = 1559731985;
    const cookie = '2464c4abcf10c957010000005cf79f111f8130c3eee29480';
    const isValid = (atSeconds: number, word = 0xc6336464, text = cookie): boolean =>
      new ServerCookies([hex(SECRET)], () => atSeconds * 1000).isValid(
        hex(text),
        text.length / 2,
        4,
        Int32Array.of(word, 0, 0, 0),
      );
    expect(complete([SECRET], made + 60, '198.51.100.100', cookie)).toBe(cookie.slice(16));
    expect([made, made + 3600, made - 300].map((at) => isValid(at))).toEqual([true, true, true]);
    expect([made + 3601, made - 301].map((at) => isValid(at))).toEqual([false, false]);
    expect(isValid(made, 0xc6336465)).toBe(false);
    expect(isValid(made, undefined, `25${cookie.slice(2)}`)).toBe(false);
    expect(isValid(made, undefined, cookie.slice(0, 16))).toBe(false);
  });
});
