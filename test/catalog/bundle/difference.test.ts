import { expect, it } from 'vitest';
import { differences, formatDifferences } from '../../../src/catalog/bundle/index.ts';
import type { Service } from '../../../src/catalog/index.ts';

function service(id: string, fields: Partial<Service> = {}): Service {
  const rest = {
    regions: ['us'],
    names: [`${id}.example`],
    exact: [],
    verified: 'imported' as const,
    source: null,
    check: null,
  };
  return { service: id, title: id, file: `${id}.yaml`, ...rest, ...fields };
}

it('a difference names services, names and fields, and leaves out what is alike', () => {
  const before = [service('a'), service('b'), service('c')];
  const after = [
    service('a', { names: ['a.example', 'a2.example'], exact: ['x.example'], regions: ['us', 'gb'] }),
    service('c'),
    service('d'),
  ];
  expect(formatDifferences(differences(before, after)).split('\n')).toEqual([
    'a: changed',
    '    regions: us -> us, gb',
    '  + =x.example',
    '  + a2.example',
    'b: removed',
    '  - b.example',
    'd: added',
    '  + d.example',
  ]);
  expect(formatDifferences(differences(before, before))).toBe('no difference');
});
