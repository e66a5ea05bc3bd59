import { describe, expect, it } from 'vitest';
import {
  buildCatalog,
  formatFinding,
  type GroupOptions,
  type RegionOptions,
} from '../../src/catalog/index.ts';
import { NameTable } from '../../src/catalog/name-table.ts';
import { question, service } from './support.ts';

const SEED = 5;
const SERVICES = [
  service('films', { names: ['films.example', 'cdn.example'], exact: ['films.carrier.example'] }),
  service('series', { names: ['series.example'] }),
];
const RELAYS: RegionOptions = {
  us: {
    relays: [
      { address: '192.0.2.1' },
      { address: '192.0.2.2', group: 'a' },
      { address: '192.0.2.3', group: 'b' },
    ],
  },
};

function build(groups: GroupOptions, regions: RegionOptions = RELAYS, probeNames: string[] = []) {
  return buildCatalog({
    ...{
      services: SERVICES,
      regions,
      defaultRegion: 'us',
      seed: SEED,
      groups,
      probeNames,
      configFile: 'c.yaml',
    },
  });
}

/** Matches a name to its service and group. */
function matcher(groups: GroupOptions): (name: string) => [number, number] {
  const { catalog, findings } = build({ a: [], b: [], ...groups });
  expect(findings).toEqual([]);
  const names = new NameTable(catalog!.names);
  return (name) => {
    const index = names.match(question(name, SEED));
    return [index, index < 0 ? 0 : names.matchedGroup];
  };
}

describe('the group of a name', () => {
  it("is its service's", () => {
    const match = matcher({ b: ['films'] });
    expect(match('films.example')).toEqual([0, 2]);
    expect(match('a.b.cdn.example')).toEqual([0, 2]);
    expect(match('films.carrier.example')).toEqual([0, 2]);
    expect(match('series.example')).toEqual([1, 0]);
    expect(match('other.example')).toEqual([-1, 0]);
  });

  it('is that of the longest configured name at or above it', () => {
    const match = matcher({ a: ['films', 'x.api.films.example'], b: ['api.films.example', 'cdn.example'] });
    expect(match('www.films.example')).toEqual([0, 1]);
    expect(match('api.films.example')).toEqual([0, 2]);
    expect(match('v1.api.films.example')).toEqual([0, 2]);
    expect(match('deep.x.api.films.example')).toEqual([0, 1]);
    expect(match('evil-api.films.example')).toEqual([0, 1]);
    expect(match('www.cdn.example')).toEqual([0, 2]);
  });

  it('may be that of an exact name, which stays exact', () => {
    const match = matcher({ a: ['films.carrier.example'] });
    expect(match('films.carrier.example')).toEqual([0, 1]);
    expect(match('a.films.carrier.example')).toEqual([-1, 0]);
    expect(match('films.example')).toEqual([0, 0]);
  });
});

describe('rejects bad groups', () => {
  it.each<[string, GroupOptions, RegionOptions, RegExp]>([
    [
      'a service that is not there',
      { a: ['shows'] },
      RELAYS,
      /^c\.yaml: catalog\.groups\.a\[0\]: found "shows", expected the id of a service/,
    ],
    [
      'a name that is not there',
      { a: ['other.example'] },
      RELAYS,
      /groups\.a\[0\]: found "other\.example", expected a name of the catalog$/,
    ],
    [
      'a name below an exact one',
      { a: ['a.films.carrier.example'] },
      RELAYS,
      /expected a name of the catalog$/,
    ],
    [
      'a member twice',
      { a: ['films'], b: ['films'] },
      RELAYS,
      /groups\.b\[0\]: found "films", which catalog\.groups\.a\[0\] has too/,
    ],
    [
      'a relay of no group',
      { a: [] },
      RELAYS,
      /regions\.us\.relays\[2\]\.group: found "b", expected null or one of a$/,
    ],
    [
      'a relay where there are no groups',
      {},
      RELAYS,
      /relays\[1\]\.group: found "a", expected null, as catalog\.groups has none$/,
    ],
    [
      'more than can be told apart',
      Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`g${i}`, []])),
      { us: { relays: [{ address: '192.0.2.1' }] } },
      /catalog\.groups: found 256 groups, expected at most 255$/,
    ],
  ])('are %s', (_, groups, regions, expected) => {
    const { catalog, findings } = build(groups, regions);
    expect(catalog).toBeNull();
    expect(findings.filter(({ severity }) => severity === 'error').map(formatFinding)[0]).toMatch(expected);
  });

  it('rejects names to probe that are not in the catalog', () => {
    const { catalog, findings } = build({ a: [], b: [] }, RELAYS, ['www.films.example', 'www.example']);
    expect(catalog).toBeNull();
    expect(findings.map(formatFinding)).toEqual([
      'c.yaml: health.names[1]: found "www.example", expected a name of the catalog',
    ]);
  });
});

describe('warns', () => {
  it('of a group without relays, and of one that hides IPv6', () => {
    const regions = {
      us: {
        relays: [
          { address: '192.0.2.1', address6: '2001:db8::1' },
          { address: '192.0.2.2', group: 'a' },
        ],
      },
    };
    const { catalog, findings } = build({ a: ['films'], b: ['series'] }, regions);
    expect(catalog).not.toBeNull();
    expect(findings.map(formatFinding)).toEqual([
      expect.stringMatching(/warning: catalog\.groups\.b: found "b", which no relay has/),
      expect.stringMatching(/warning: regions\.us\.relays: found no IPv6 address in group a, so that AAAA/),
    ]);
  });
});
