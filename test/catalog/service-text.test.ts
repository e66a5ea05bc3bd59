import { expect, it } from 'vitest';
import { formatServiceFile, loadServices } from '../../src/catalog/index.ts';

it('reads back what it wrote', () => {
  const written = {
    service: '7plus',
    title: 'yes: "7plus" #1',
    regions: ['no', 'us'],
    names: ['112263.com', 'xn--bcher-kva.example', '1.e5'],
    exact: ['one.akamaized.net'],
    verified: false as const,
    source: 'list: a # b',
    check: {
      url: 'https://www.112263.com/geo?a=1&b=no',
      method: 'GET' as const,
      verified: '2026-11-30',
      expect: { status: [200, 404], header: {}, body: ['"ok": true', '#'] },
      blocked: { status: [403], header: { location: '/blocked' }, body: [] },
      region: { header: null, after: '"country":"', map: { usa: 'us', no: 'no' } },
    },
  };
  const text = formatServiceFile({ ...written, comment: ['One line', 'and another'] });
  expect(text).toMatch(/^# One line\n# and another\nservice: /);
  expect(text).toContain('regions: ["no", us]');
  const { services, findings } = loadServices([{ path: 'a.yaml', text }]);
  expect(findings).toEqual([]);
  expect(services).toEqual([{ ...written, file: 'a.yaml' }]);
});
