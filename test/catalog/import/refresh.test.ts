import { describe, expect, it } from 'vitest';
import { parseListSource, refreshNames, type Service } from '../../../src/catalog/index.ts';

const names = (...list: string[]) => ({ names: list, exact: [] as string[] });

function service(...list: string[]): Service {
  const rest = {
    title: 'Films',
    regions: ['us'],
    exact: [],
    verified: 'imported' as const,
    source: null,
    check: null,
  };
  return { service: 'films', names: list, file: 'films.yaml', ...rest };
}

describe("a list's changes", () => {
  it('are taken, while names that a person left out or added stay so', () => {
    const own = service('a.example', 'old.example', 'mine.example');
    const before = names('a.example', 'old.example', 'unwanted.example');
    const after = names('a.example', 'unwanted.example', 'new.example');
    expect(refreshNames(own, before, after)).toEqual({
      ...names('a.example', 'mine.example', 'new.example'),
      suspicion: null,
    });
  });

  it('are suspicious when a list grows suddenly', () => {
    const before = names('a.example');
    const grown = Array.from({ length: 6 }, (_, index) => `n${index}.example`);
    const { suspicion } = refreshNames(service('a.example'), before, names('a.example', ...grown));
    expect(suspicion).toBe('6 new names beside 1');
  });

  it('are suspicious when half of the names are gone', () => {
    const before = names('a.example', 'b.example');
    expect(refreshNames(service('a.example', 'b.example'), before, names('a.example')).suspicion).toBe(
      '1 of 2 names gone',
    );
  });
});

it("a service's source names its list", () => {
  expect(parseListSource('v2fly/domain-list-community@c975ccef data/netflix')).toEqual({
    repository: 'v2fly/domain-list-community',
    ref: 'c975ccef',
    path: 'data/netflix',
  });
  for (const text of [null, 'from knowledge', 'a/b@c ../../etc/passwd']) {
    expect(parseListSource(text), String(text)).toBeNull();
  }
});
