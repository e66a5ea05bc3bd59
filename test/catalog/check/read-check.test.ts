import { describe, expect, it } from 'vitest';
import { formatFinding, loadServices } from '../../../src/catalog/index.ts';

const HEAD = 'service: films\ntitle: Films\nregions: [us]\nnames: [films.com]\nexact: [one.other.com]\n';
const URL_LINE = '  url: https://api.films.com/geo\n';

function load(check: string) {
  const { services, findings } = loadServices([{ path: 'films.yaml', text: `${HEAD}check:\n${check}` }]);
  return { check: services[0]?.check, findings: findings.map(formatFinding) };
}

it('reads a check, with defaults for what is left out', () => {
  expect(load(`${URL_LINE}  expect: { status: 200 }\n`)).toEqual({
    check: {
      url: 'https://api.films.com/geo',
      method: 'GET',
      verified: null,
      expect: { status: [200], header: {}, body: [] },
      blocked: null,
      region: null,
    },
    findings: [],
  });
});

it('reads everything that a check may have', () => {
  const { check, findings } = load(
    `  url: https://one.other.com/a?b=c
  method: HEAD
  verified: checked 2026-11-30
  expect: { status: [200, 404], header: { content-type: JSON }, body: ok }
  blocked: { status: [403, 451], body: [geo, vpn] }
  region: { header: x-country, map: { USA: us } }
`,
  );
  expect(findings).toEqual([]);
  expect(check).toEqual({
    url: 'https://one.other.com/a?b=c',
    method: 'HEAD',
    verified: '2026-11-30',
    expect: { status: [200, 404], header: { 'content-type': 'json' }, body: ['ok'] },
    blocked: { status: [403, 451], header: {}, body: ['geo', 'vpn'] },
    region: { header: 'x-country', after: null, map: { usa: 'us' } },
  });
});

describe('tells what was found, what was expected, and where:', () => {
  const OK = '  expect: { status: 200 }\n';
  it.each([
    ['no URL', OK, 'check.url: found nothing, expected an https URL'],
    [
      'plain HTTP',
      `  url: http://films.com/\n${OK}`,
      'films.yaml:7: check.url: found "http://films.com/", expected an https',
    ],
    ['a password', `  url: https://a:b@films.com/\n${OK}`, 'expected an https URL without user'],
    [
      'a foreign host',
      `  url: https://films.org/\n${OK}`,
      `found "films.org", expected a host that is among the service's names`,
    ],
    ['a host below an exact name', `  url: https://a.one.other.com/\n${OK}`, 'expected a host that is among'],
    [
      'nothing to expect',
      URL_LINE,
      'check.expect: found nothing, expected a mapping with status, header or body',
    ],
    ['an empty pattern', `${URL_LINE}  expect: {}\n`, 'check.expect: found {}, expected'],
    [
      'another method',
      `${URL_LINE}${OK}  method: POST\n`,
      'check.method: found "POST", expected GET or HEAD',
    ],
    [
      'a status that is none',
      `${URL_LINE}  expect: { status: [200, 42] }\n`,
      'found 42, expected a status from 200 to 599',
    ],
    [
      'an unknown key',
      `${URL_LINE}${OK}  code: 1\n`,
      'check.code: found an unknown key, expected url, method',
    ],
    [
      'an empty text',
      `${URL_LINE}  expect: { body: "" }\n`,
      'check.expect.body: found "", expected a text of 1 to 200',
    ],
    [
      'a header in capitals',
      `${URL_LINE}  expect: { header: { X-A: a } }\n`,
      'the name of a header field in lower case',
    ],
    ['a region without a place', `${URL_LINE}${OK}  region: { map: { us: us } }\n`, 'check.region: found'],
    [
      'a long code',
      `${URL_LINE}${OK}  region: { body: a, map: { america: us } }\n`,
      'a code of two or three letters',
    ],
    [
      'verified by hope',
      `${URL_LINE}${OK}  verified: true\n`,
      'check.verified: found true, expected false, or checked DATE',
    ],
    ['a list', '  - films\n', 'check: found ["films"], expected a mapping of url, method'],
  ])('%s', (_, text, expected) => {
    const { check, findings } = load(text);
    expect(check).toBeNull();
    expect(findings.join('\n')).toContain(expected);
  });
});
