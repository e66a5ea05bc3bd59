import { beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/catalog/index.ts';
import { formatFinding, loadServices, readServiceFiles } from '../../src/catalog/index.ts';
import { CARRIER_SUFFIXES } from '../../src/catalog/shared-suffix.ts';

const directory = new URL('../../config', import.meta.url).pathname;
let services: Service[] = [];
let findings: string[] = [];

beforeAll(async () => {
  const found = await readServiceFiles({
    patterns: ['services/*.yaml'],
    directory,
    configFile: 'default.yaml',
  });
  const loaded = loadServices(found.files);
  services = loaded.services;
  findings = [...found.findings, ...loaded.findings].map(formatFinding);
});

describe('the shipped catalog', () => {
  it('has neither errors nor warnings', () => {
    expect(findings).toEqual([]);
  });

  it('has at least 30 services, each with a name and a region, in the file of its id', () => {
    expect(services.length).toBeGreaterThanOrEqual(30);
    expect(services.filter((service) => service.verified !== false).length).toBeGreaterThanOrEqual(30);
    for (const { service, regions, names, exact, file } of services) {
      expect(regions.length, service).toBeGreaterThan(0);
      expect(names.length + exact.length, service).toBeGreaterThan(0);
      expect(file.endsWith(`/services/${service}.yaml`), file).toBe(true);
    }
  });

  it('names countries by code (ISO 3166-1 alpha-2, lower case)', () => {
    for (const { service, regions } of services) {
      for (const region of regions) expect(region, service).toMatch(/^[a-z]{2}$/);
      expect(regions, service).not.toContain('uk');
    }
  });

  it('names the source list of each verified service', () => {
    for (const { service, verified, source } of services) {
      expect(source?.startsWith('v2fly/domain-list-community@') ?? false, service).toBe(verified !== false);
    }
  });

  it('has no suffix at, above or below a content network or cloud', () => {
    const pulls = (name: string) =>
      [...CARRIER_SUFFIXES].filter(
        (carrier) => name === carrier || name.endsWith(`.${carrier}`) || carrier.endsWith(`.${name}`),
      );
    for (const { service, names } of services) {
      for (const name of names) expect(pulls(name), `${service}: ${name}`).toEqual([]);
    }
  });

  it('has no content network or cloud by its own name', () => {
    for (const { service, exact } of services) {
      for (const name of exact) expect(CARRIER_SUFFIXES.has(name), `${service}: ${name}`).toBe(false);
    }
  });
});
