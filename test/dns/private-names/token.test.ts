import { expect, it } from 'vitest';
import { tokenOfBytes, tokenOfHost } from '../../../src/dns/private-names/index.ts';

const TOKEN = 'abcdefghijklmnopqrstuv2345';

it.each([
  [`${TOKEN}.dns.example`, TOKEN],
  [`${TOKEN.toUpperCase()}.DNS.Example`, TOKEN],
  ['dns.example', null],
  [`x.${TOKEN}.dns.example`, null],
  [`${TOKEN}.other.example`, null],
  [`${TOKEN}xdns.example`, null],
  [`${TOKEN.slice(1)}1.dns.example`, null],
  [`${TOKEN}.dns.example.`, null],
  ['', null],
])('the token of host %j is %j', (host, token) => {
  expect(tokenOfHost(host, 'dns.example')).toBe(token);
});

it.each([
  [TOKEN, TOKEN],
  [TOKEN.toUpperCase(), TOKEN],
  [TOKEN.slice(1), null],
  [`${TOKEN.slice(1)}8`, null],
  [`${TOKEN.slice(1)}\0`, null],
])('the token of %j is %j', (text, token) => {
  const bytes = Buffer.from(`/${text}/`, 'latin1');
  expect(tokenOfBytes(bytes, 1, bytes.length - 1)).toBe(token);
});
