import { beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/catalog/index.ts';
import { formatFault, loadServices, readServiceFiles } from '../../src/catalog/index.ts';
import { CARRIER_SUFFIXES } from '../../src/catalog/shared-suffix.ts';

const directory = new URL('../../config', import.meta.url).pathname;
let services: Service[] = [];
let faults: string[] = [];

beforeAll(async () => {
  const found = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory,
    configFile: 'default.yaml',
  });
  const loaded = loadServices(found.files);
  services = loaded.services;
  faults = [...found.faults, ...loaded.faults].map(formatFault);
});

describe('the shipped catalog', () => {
  it('has neither faults nor warnings', () => {
    expect(faults).toEqual([]);
  });

  it('has 30 services at least, each with a name and a region, in the file of its id', () => {
    expect(services.length).toBeGreaterThanOrEqual(30);
    expect(services.filter((service) => service.verified).length).toBeGreaterThanOrEqual(30);
    for (const { service, regions, names, exact, file } of services) {
      expect(regions.length, service).toBeGreaterThan(0);
      expect(names.length + exact.length, service).toBeGreaterThan(0);
      expect(file.endsWith(`/services/${service}.yaml`), file).toBe(true);
    }
  });

  it('gives countries by their codes (ISO 3166-1 alpha-2, lower case)', () => {
    for (const { service, regions } of services) {
      for (const region of regions) expect(region, service).toMatch(/^[a-z]{2}$/);
      expect(regions, service).not.toContain('uk');
    }
  });

  it('says of each verified service which list it is from', () => {
    for (const { service, verified, source } of services) {
      expect(source?.startsWith('v2fly/domain-list-community@') ?? false, service).toBe(verified);
    }
  });

  it('takes no suffix at, above or below a content network or cloud', () => {
    const pulls = (name: string) =>
      [...CARRIER_SUFFIXES].filter(
        (carrier) => name === carrier || name.endsWith(`.${carrier}`) || carrier.endsWith(`.${name}`),
      );
    for (const { service, names } of services) {
      for (const name of names) expect(pulls(name), `${service}: ${name}`).toEqual([]);
    }
  });

  it('takes no content network or cloud by its own name', () => {
    for (const { service, exact } of services) {
      for (const name of exact) expect(CARRIER_SUFFIXES.has(name), `${service}: ${name}`).toBe(false);
    }
  });
});
