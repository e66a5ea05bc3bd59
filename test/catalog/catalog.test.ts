import { describe, expect, it } from 'vitest';
import type { RegionOptions } from '../../src/catalog/index.ts';
import { buildCatalog, formatFinding } from '../../src/catalog/index.ts';
import { service } from './support.ts';

const SERVICES = [service('netflix', { names: ['netflix.com'], regions: ['us', 'gb'] })];
const US = { us: { relays: [{ address: '192.0.2.10' }] } };

function lines(regions: RegionOptions, defaultRegion = 'us', services = SERVICES): string[] {
  return buildCatalog({ services, regions, defaultRegion, seed: 1, configFile: 'c.yaml' }).findings.map(
    formatFinding,
  );
}

it('numbers relays over all regions and keeps their groups', () => {
  const regions = {
    us: { relays: [{ address: '192.0.2.10', address6: '2001:db8::10', weight: 2, group: 'a' }] },
    gb: { relays: [{ address6: '2001:db8::20' }] },
  };
  const { catalog, findings } = buildCatalog({
    services: SERVICES,
    regions,
    defaultRegion: 'us',
    seed: 1,
    groups: { a: ['netflix'] },
  });
  expect(findings).toEqual([]);
  expect(catalog?.regions).toEqual([
    { region: 'us', relays: [0], serves: true },
    { region: 'gb', relays: [1], serves: true },
  ]);
  expect(catalog?.relays).toMatchObject([
    { weight: 2, group: 'a' },
    { weight: 1, group: null, address4: null },
  ]);
  expect([...new Uint8Array(catalog!.addresses4)]).toEqual([192, 0, 2, 10, 0, 0, 0, 0]);
  expect(new Uint8Array(catalog!.addresses6)[31]).toBe(0x20);
});

describe('a configuration with errors', () => {
  it.each<[string, RegionOptions, RegExp]>([
    [
      'a region without relays',
      { ...US, gb: { relays: [] } },
      /^c\.yaml: regions\.gb\.relays: found no relay, expected at/,
    ],
    [
      'no address',
      { us: { relays: [{}, { address: '192.0.2.1' }] } },
      /relays\[0\]: found no address, expected address, a/,
    ],
    [
      'IPv6 for IPv4',
      { us: { relays: [{ address: '2001:db8::1' }] } },
      /relays\[0\]\.address: .*an IPv4 address$/,
    ],
    [
      'IPv4 for IPv6',
      { us: { relays: [{ address6: '192.0.2.1' }] } },
      /relays\[0\]\.address6: .*an IPv6 address$/,
    ],
    [
      'an address twice',
      { us: { relays: [{ address: '192.0.2.1' }, { address: '192.0.2.1' }] } },
      /relays\[1\]: found 192\.0\.2\.1, expected each address once/,
    ],
    [
      'a weight below 0',
      { us: { relays: [{ address: '192.0.2.1', weight: -1 }, { address: '192.0.2.2' }] } },
      /relays\[0\]\.weight: found -1, expected a whole/,
    ],
    [
      'half a weight',
      { us: { relays: [{ address: '192.0.2.1', weight: 0.5 }, { address: '192.0.2.2' }] } },
      /relays\[0\]\.weight: found 0\.5/,
    ],
    [
      'no default region',
      { gb: { relays: [{ address: '192.0.2.1' }] } },
      /defaultRegion: found "us", expected one of gb$/,
    ],
  ])('is told: %s', (_, regions, expected) => {
    const found = lines(regions);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
    expect(buildCatalog({ services: SERVICES, regions, defaultRegion: 'us', seed: 1 }).catalog).toBeNull();
  });

  it('gets all its errors reported', () => {
    expect(
      lines({ us: { relays: [] }, gb: { relays: [{ address: 'x', weight: 0.1 }] } }, 'fr').length,
    ).toBeGreaterThan(3);
  });
});

describe('a configuration with a warning still builds', () => {
  it('if no region serves a service', () => {
    const services = [...SERVICES, service('nrk', { regions: ['no'] }), service('svt', { regions: ['se'] })];
    expect(lines(US, 'us', services)).toEqual([
      expect.stringMatching(/^c\.yaml: .*found 2 services .*: nrk, svt, exp/),
    ]);
    expect(buildCatalog({ services, regions: US, defaultRegion: 'us', seed: 1 }).catalog).not.toBeNull();
  });

  it('if all relays of a region have weight 0', () => {
    const regions = { ...US, gb: { relays: [{ address: '192.0.2.20', weight: 0 }] } };
    expect(lines(regions)).toEqual([
      expect.stringMatching(/warning: regions\.gb\.relays: found weight 0 everywhere/),
    ]);
  });
});
