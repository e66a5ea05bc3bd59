import { describe, expect, it } from 'vitest';
import { formatFinding, loadServices } from '../../src/catalog/index.ts';

const GOOD = `service: netflix
title: Netflix
regions: [us, gb]
names: [netflix.com, nflxvideo.net]
exact: [netflix.com.edgesuite.net]
`;

function load(...texts: string[]) {
  return loadServices(texts.map((text, index) => ({ path: `${index + 1}.yaml`, text })));
}

function lines(...texts: string[]): string[] {
  return load(...texts).findings.map(formatFinding);
}

function withNames(id: string, names: string, exact = '[]'): string {
  return `service: ${id}\ntitle: ${id}\nregions: [us]\nnames: ${names}\nexact: ${exact}\n`;
}

it('reads a service', () => {
  const { services, findings } = load(
    GOOD,
    `${withNames('b', '[b.example]')}verified: tried 2026-02-28\nsource: a list\n`,
  );
  expect(findings).toEqual([]);
  expect(services[0]).toEqual({
    service: 'netflix',
    title: 'Netflix',
    regions: ['us', 'gb'],
    names: ['netflix.com', 'nflxvideo.net'],
    exact: ['netflix.com.edgesuite.net'],
    verified: false,
    source: null,
    check: null,
    file: '1.yaml',
  });
  expect(services[1]).toMatchObject({ verified: 'tried 2026-02-28', source: 'a list' });
});

it.each(['imported', 'checked 2026-11-30', 'tried 2028-02-29', 'false'])('reads verified: %s', (text) => {
  const { services, findings } = load(`${GOOD}verified: ${text}\n`);
  expect(findings).toEqual([]);
  expect(String(services[0]?.verified)).toBe(text);
});

it('takes verified: true of an older file for imported, with a warning', () => {
  const { services, findings } = load(`${GOOD}verified: true\n`);
  expect(services[0]?.verified).toBe('imported');
  expect(findings.map(formatFinding)).toEqual([
    expect.stringMatching(/^1\.yaml:6: warning: verified: found true, read as imported, expected imported,/),
  ]);
});

it('reads `no` as the region of Norway', () => {
  expect(load(GOOD.replace('[us, gb]', '[no]')).services[0]?.regions).toEqual(['no']);
});

it('turns U-labels into A-labels', () => {
  expect(load(withNames('a', '[bücher.example]')).services[0]?.names).toEqual(['xn--bcher-kva.example']);
});

describe('rejects a file', () => {
  it.each([
    ['not YAML', 'service: [', /^1\.yaml:\d+: found .*, expected well-formed YAML$/],
    ['a key twice', `${GOOD}title: again\n`, /^1\.yaml:6: found "Map keys must be unique", expected/],
    ['no mapping', '- netflix', /^1\.yaml: found \["netflix"\], expected a mapping/],
    ['empty', '', /^1\.yaml: found nothing, expected a mapping/],
    [
      'an unknown key',
      `${GOOD}region: us\n`,
      /^1\.yaml:6: region: found an unknown key, expected one of service, /,
    ],
    [
      'an id with capitals',
      GOOD.replace('netflix\n', 'Netflix\n'),
      /^1\.yaml:1: service: found "Netflix", exp/,
    ],
    ['no title', GOOD.replace('title: Netflix\n', ''), /^1\.yaml: title: found nothing, expected a title/],
    ['no regions', GOOD.replace('[us, gb]', '[]'), /^1\.yaml:3: regions: found \[\], expected at least one/],
    [
      'a region in capitals',
      GOOD.replace('gb', 'GB'),
      /^1\.yaml:3: regions\[1\]: found "GB", expected a region/,
    ],
    [
      'a region twice',
      GOOD.replace('gb', 'us'),
      /^1\.yaml:3: regions\[1\]: found "us", expected each region once/,
    ],
    ['the region off', GOOD.replace('gb', 'off'), /^1\.yaml:3: regions\[1\]: found "off", expected a region/],
    ['a number', GOOD.replace('nflxvideo.net', '7'), /^1\.yaml:4: names\[1\]: found 7, expected a string$/],
    ['no list', withNames('a', 'a.example'), /^1\.yaml:4: names: found "a\.example", expected a list$/],
    ['no name', withNames('a', '[]'), /^1\.yaml:4: names: found no name, expected at least one under names/],
    [
      'capitals',
      GOOD.replace('nflxvideo', 'NflxVideo'),
      /^1\.yaml:4: names\[1\]: found "Nflx.*, expected lower case/,
    ],
    [
      'a pattern',
      GOOD.replace('nflxvideo.net', '"*.a.net"'),
      /^1\.yaml:4: names\[1\]: found .*letters, digits and hyphens/,
    ],
    [
      'a YAML alias',
      GOOD.replace('nflxvideo', '*.a'),
      /^1\.yaml:4: found a YAML alias \(\*\), expected plain values$/,
    ],
    [
      'a top-level domain',
      GOOD.replace('nflxvideo.net', 'net'),
      /^1\.yaml:4: names\[1\]: .*top-level domain/,
    ],
    ['a registry', GOOD.replace('nflxvideo.net', 'co.uk'), /^1\.yaml:4: names\[1\]: .*co\.uk, a registry/],
    [
      'a content network',
      GOOD.replace('nflxvideo', 'akamaized'),
      /^1\.yaml:4: names\[1\]: .*unrelated sites handle/,
    ],
    [
      'below one',
      GOOD.replace('nflxvideo', 'a.akamaized'),
      /^1\.yaml:4: names\[1\]: .*expected it under exact/,
    ],
    [
      'verified: maybe',
      `${GOOD}verified: maybe\n`,
      /^1\.yaml:6: verified: found "maybe", expected imported, checked DATE, tried DATE or false; DATE as/,
    ],
    [
      'a day that no calendar has',
      `${GOOD}verified: checked 2026-02-30\n`,
      /^1\.yaml:6: verified: found "checked 2026-02-30", expected imported/,
    ],
    ['an empty source', `${GOOD}source: ''\n`, /^1\.yaml:6: source: found "", expected text on one line$/],
  ])('says where, what was found and what was expected: %s', (_, text, expected) => {
    const found = lines(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it('reports all errors of a file', () => {
    const text = 'service: A\nregions: [US, us, us]\nnames: [com, A.example, akamaized.net]\nmore: 1\n';
    expect(load(text).findings.map((finding) => finding.path)).toEqual(
      expect.arrayContaining([
        'service',
        'title',
        'regions[0]',
        'regions[2]',
        'names[0]',
        'names[1]',
        'names[2]',
        'more',
      ]),
    );
  });
});

describe('checks files against each other', () => {
  it.each([
    [
      'a name in two services',
      withNames('b', '[netflix.com]'),
      /^2\.yaml:4: names\[0\]: found "netflix\.com", the same as names\[0\] of netflix \(1\.yaml:4\), expected a name in one service only$/,
    ],
    [
      'a name below another service',
      withNames('b', '[a.netflix.com]'),
      /^2\.yaml:4: names\[0\]: found "a\.netflix\.com", below netflix\.com, names\[0\] of netflix/,
    ],
    [
      'exact below another service',
      withNames('b', '[]', '[a.b.netflix.com]'),
      /^2\.yaml:5: exact\[0\]: .*below netflix\.com/,
    ],
    [
      'exact, the same as another suffix',
      withNames('b', '[]', '[netflix.com]'),
      /^2\.yaml:5: exact\[0\]: .*the same as/,
    ],
    [
      'an id given twice',
      withNames('netflix', '[b.example]'),
      /^2\.yaml:1: service: found "netflix", expected an id of its own \(1\.yaml has it\)$/,
    ],
  ])('are at finding: %s', (_, text, expected) => {
    const found = lines(GOOD, text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it('reports a conflict in either order', () => {
    const { findings } = load(withNames('b', '[a.netflix.com]'), GOOD);
    expect(findings).toMatchObject([{ severity: 'error', file: '1.yaml' }]);
  });

  it('allows an exact name above another service', () => {
    expect(lines(withNames('a', '[]', '[x.example]'), withNames('b', '[b.x.example]'))).toEqual([]);
  });

  it('warns of a name below another of the same service', () => {
    const { findings } = load(withNames('a', '[a.example, b.a.example, a.example]', '[a.example]'));
    expect(findings.map(({ severity, path }) => `${severity} ${path}`)).toEqual([
      'warning names[2]',
      'warning exact[0]',
      'warning names[1]',
    ]);
  });
});
