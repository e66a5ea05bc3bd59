import { expect, test } from 'vitest';
import { formatSocketAddress, parseSocketAddress } from '../../src/net/index.ts';

test.each(['127.0.0.1:5300', '[::1]:53', '0.0.0.0:0', '[::]:65535'])(
  '%s is read and written back',
  (text) => {
    expect(formatSocketAddress(parseSocketAddress(text)!)).toBe(text);
  },
);

test('an IPv4-mapped address becomes IPv4', () => {
  expect(formatSocketAddress(parseSocketAddress('[::ffff:192.0.2.1]:53')!)).toBe('192.0.2.1:53');
});

test.each([
  '',
  '127.0.0.1',
  '127.0.0.1:',
  ':53',
  '127.0.0.1:65536',
  '127.0.0.1:-1',
  '127.0.0.1:053',
  '127.0.0.1:53 ',
  '::1:53',
  '[::1]',
  '[::1]53',
  '[127.0.0.1]:53',
  'localhost:53',
  '[::1%lo]:53',
  '*:53',
  '[[::1]]:53',
])('%j is rejected', (text) => {
  expect(parseSocketAddress(text)).toBeNull();
});
