import { describe, expect, it } from 'vitest';
import { canonicalHostName, coveringName, namesAbove } from '../../src/catalog/host-name.ts';

describe('canonicalHostName', () => {
  it.each([
    'netflix.com',
    'a-b.example',
    '112263.com',
    'xn--bcher-kva.example',
    'com',
    `${'a'.repeat(63)}.example`,
  ])('takes %s as it is', (name) => expect(canonicalHostName(name)).toEqual({ name, expected: null }));

  it('turns U-labels into A-labels', () => {
    expect(canonicalHostName('bücher.example').name).toBe('xn--bcher-kva.example');
  });

  it.each([
    ['', /host name/],
    ['Netflix.com', /lower case/],
    ['netflix.com.', /final dot/],
    ['.netflix.com', /letters/],
    ['a..b', /letters/],
    ['*.netflix.com', /letters/],
    ['-a.example', /letters/],
    ['a-.example', /letters/],
    ['a_b.example', /letters/],
    ['a b.example', /letters/],
    ['https://netflix.com', /letters/],
    ['192.0.2.1', /not an address/],
    ['2001:db8::1', /letters/],
    [`${'a'.repeat(64)}.example`, /letters/],
    [`${'a.'.repeat(127)}example`, /253/],
    ['xn--a.example', /international/],
  ])('refuses %j', (text, expected) => {
    expect(canonicalHostName(text)).toMatchObject({ name: null, expected: expect.stringMatching(expected) });
  });
});

it('lists the suffixes above a name, nearest first', () => {
  expect(namesAbove('a.b.c')).toEqual(['b.c', 'c']);
  expect(namesAbove('c')).toEqual([]);
});

it('finds the nearest suffix that is taken', () => {
  expect(coveringName('a.b.c', (name) => name === 'c')).toBe('c');
  expect(coveringName('a.b.c', (name) => name === 'a.b.c')).toBeNull();
});
