import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesAbove } from '../../src/catalog/host-name.ts';
import { buildNameTable, NameTable, NO_SERVICE } from '../../src/catalog/name-table.ts';
import { question, service } from './support.ts';

const SEED = 0x5eed;

function table(...services: { names?: string[]; exact?: string[] }[]): NameTable {
  return new NameTable(
    buildNameTable(
      services.map((parts, index) => service(`s${index}`, parts)),
      SEED,
    ),
  );
}

describe('match', () => {
  const names = table(
    { names: ['netflix.com'], exact: ['netflix.com.edgesuite.net'] },
    { names: ['b.example'] },
  );

  it.each([
    ['netflix.com', 0],
    ['www.netflix.com', 0],
    ['a.b.c.NETFLIX.com', 0],
    ['netflix.com.edgesuite.net', 0],
    ['b.example', 1],
    ['a.netflix.com.edgesuite.net', NO_SERVICE],
    ['edgesuite.net', NO_SERVICE],
    ['evil-netflix.com', NO_SERVICE],
    ['netflix.com.example', NO_SERVICE],
    ['com', NO_SERVICE],
    ['.', NO_SERVICE],
    ['example', NO_SERVICE],
    [`${'a.'.repeat(120)}b.example`, 1],
  ])('of %s is %i', (name, expected) => {
    expect(names.match(question(name, SEED))).toBe(expected);
  });

  it("says at which label the catalog's name starts", () => {
    names.match(question('a.b.netflix.com', SEED));
    expect(names.matchedLabel).toBe(2);
    names.match(question('netflix.com.edgesuite.net', SEED));
    expect(names.matchedLabel).toBe(0);
  });

  it('does not take a label that contains a dot for two labels', () => {
    expect(names.match(question('netflix\\.com', SEED))).toBe(NO_SERVICE);
    expect(names.match(question('a.b\\.example', SEED))).toBe(NO_SERVICE);
  });

  it('compares the bytes when hashes are equal', () => {
    const asked = question('www.other.com', SEED);
    asked.hashes.set(question('www.netflix.com', SEED).hashes);
    expect(names.match(asked)).toBe(NO_SERVICE);
  });

  it('finds nothing in an empty table', () => {
    expect(table().match(question('netflix.com', SEED))).toBe(NO_SERVICE);
  });

  it('prefers the suffix over an exact name of the same text', () => {
    expect(table({ names: ['a.example'], exact: ['a.example'] }).match(question('b.a.example', SEED))).toBe(
      0,
    );
  });
});

it('agrees with a linear search for any catalog and any name', () => {
  const label = fc.constantFrom('a', 'b', 'c', 'dd', 'example');
  const name = fc.array(label, { minLength: 2, maxLength: 5 }).map((labels) => labels.join('.'));
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 20 }),
      fc.array(fc.boolean()),
      name,
      fc.integer(),
      (all, kinds, asked, seed) => {
        const suffixes = new Map<string, number>();
        const exact = new Map<string, number>();
        const covered = (text: string) => namesAbove(text).some((above) => suffixes.has(above));
        for (const [index, text] of all.toSorted((a, b) => a.length - b.length).entries()) {
          if (!covered(text)) (kinds[index] === true ? exact : suffixes).set(text, index);
        }
        const services = Array.from({ length: all.length }, (_, index) => ({
          names: [...suffixes].filter(([, owner]) => owner === index).map(([text]) => text),
          exact: [...exact].filter(([, owner]) => owner === index).map(([text]) => text),
        }));
        const handle = buildNameTable(
          services.map((parts, index) => service(`s${index}`, parts)),
          seed,
        );
        const owners = [asked, ...namesAbove(asked)]
          .map((text) => suffixes.get(text))
          .filter((id) => id !== undefined);
        const expected = owners[0] ?? exact.get(asked) ?? NO_SERVICE;
        expect(new NameTable(handle).match(question(asked, seed))).toBe(expected);
      },
    ),
    { numRuns: 300 },
  );
});

it('holds 100,000 names', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `n${index}.example`);
  const large = table({ names: names.slice(0, 50_000) }, { names: names.slice(50_000) });
  for (let index = 0; index < names.length; index += 97) {
    expect(large.match(question(`www.n${index}.example`, SEED))).toBe(index < 50_000 ? 0 : 1);
    expect(large.match(question(`m${index}.example`, SEED))).toBe(NO_SERVICE);
  }
});
