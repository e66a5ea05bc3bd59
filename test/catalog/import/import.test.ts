import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ImportOptions } from '../../../src/catalog/index.ts';
import { importDomains } from '../../../src/catalog/index.ts';

const DOMAINS = new URL('../fixtures/domains/', import.meta.url);

function read(list: string): string | null {
  const file = new URL(list, DOMAINS);
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

function imported(list: string, options: Partial<ImportOptions> = {}) {
  return importDomains({ list, read, ...options });
}

function notes(found: readonly { list: string; line: number; why: string }[]): string[] {
  return found.map(({ list, line, why }) => `${list}:${line}: ${why}`);
}

describe('a list', () => {
  it('gives its names and, in place, those it includes, without duplicates', () => {
    const result = imported('constructs');
    expect(result.names).toEqual([
      'example.com',
      'upper.example',
      'cn.example.org',
      'both.example.org',
      'xn--bcher-kva.example',
      'bamgrid.com',
      'bamtech.net',
      'dmed.technology',
      'taken.example',
    ]);
    expect(result.exact).toEqual(['only.example.net', 'cdn.akamaized.net', 'one.akamaized.net']);
    expect(result.redundant).toBe(2);
    expect(result.errors).toEqual([]);
  });

  it('reports every line that cannot be expressed', () => {
    const unexpressed = imported('constructs').unexpressed;
    expect(notes(unexpressed)).toEqual([
      'constructs:5: a keyword has no form in the catalog',
      'constructs:6: a regexp has no form in the catalog',
      'constructs:9: marked @ads: left out',
      'constructs:10: marked @ads, but example.com takes it in',
      'constructs:17: taken alone, without what is below it: unrelated sites handle akamaized.net',
      'constructs:18: expected single names below akamaized.net, which unrelated sites handle',
      'constructs:20: expected a name registered below co.uk, a registry',
      'constructs:21: expected a name below a top-level domain',
      'constructs:22: expected a host name of letters, digits and hyphens (RFC 1123)',
    ]);
    expect(unexpressed[1]?.text).toBe('regexp:^cdn[0-9]+\\.example\\.org$');
  });

  it('includes lines marked @ads on request', () => {
    const result = imported('constructs', { withAds: true });
    expect(result.names).toContain('ads.example.org');
    expect(notes(result.unexpressed).join()).not.toContain('@ads');
  });

  it('includes a list once, however often it is named', () => {
    expect(imported('twice')).toMatchObject({
      names: ['bamgrid.com', 'bamtech.net', 'dmed.technology', 'last.example'],
      redundant: 0,
      errors: [],
    });
  });
});

describe('left out on request', () => {
  it('a name with all names below it', () => {
    const { names, unexpressed } = imported('constructs', { without: ['example.org', 'brand'] });
    expect(names).not.toContain('cn.example.org');
    expect(notes(unexpressed).join()).not.toMatch(/constructs:(9|21):/);
  });

  it('a whole list', () => {
    const result = imported('constructs', { without: ['include:bamtech'] });
    expect(result.names).not.toContain('bamgrid.com');
    expect(result.unmatched).toEqual([]);
  });

  it('reports requests that match nothing', () => {
    const without = ['nothing.example', 'include:nothing'];
    expect(imported('constructs', { without }).unmatched).toEqual(without);
  });
});

describe('a bad list', () => {
  it('gets all bad lines reported', () => {
    expect(notes(imported('broken').errors)).toEqual([
      'broken:2: unknown type "unknown"',
      'broken:3: nothing behind full:',
      'broken:4: "words.example" is neither an @attribute nor an &affiliation',
      'broken:5: there is no list "nowhere"',
    ]);
  });

  it('gets a cycle of includes reported', () => {
    expect(notes(imported('cycle-a').errors)).toEqual(['cycle-b:2: a cycle: cycle-a -> cycle-b -> cycle-a']);
  });

  it('may be missing', () => {
    expect(notes(imported('nowhere').errors)).toEqual(['nowhere:0: there is no such list']);
  });
});

describe('published lists', () => {
  const published = readdirSync(DOMAINS).filter((list) =>
    /^(abc|bamtech|hotstar|netflix|sky|spotify)$/.test(list),
  );

  it.each(published)('are read whole: %s', (list) => {
    const result = imported(list);
    const rules = read(list)!
      .split('\n')
      .filter((line) => line.replace(/#.*/, '').trim() !== '');
    const narrowed = result.unexpressed.filter((note) => note.why.startsWith('taken alone')).length;
    const taken = result.names.length + result.exact.length + result.redundant;
    expect(result.errors).toEqual([]);
    expect(taken + result.unexpressed.length - narrowed).toBe(rules.length);
  });

  it('give the expected names', () => {
    expect(imported('netflix').exact).toEqual(['netflix.com.edgesuite.net']);
    expect(imported('hotstar').exact).toEqual(['hsprepack.akamaized.net']);
    expect(notes(imported('sky').unexpressed)).toEqual(['sky:2: expected a name below a top-level domain']);
    expect(imported('sky').redundant).toBe(1);
  });
});
