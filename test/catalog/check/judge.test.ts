import { describe, expect, it } from 'vitest';
import { judgeReply, type ServiceCheck } from '../../../src/catalog/check/index.ts';

const NOTHING = { status: [], header: {}, body: [] };
const CHECK: ServiceCheck = {
  url: 'https://films.com/geo',
  method: 'GET',
  verified: null,
  expect: { ...NOTHING, status: [200], body: ['"allowed":true', '"country"'] },
  blocked: { status: [403, 451], header: { location: '/unavailable' }, body: ['GEO_BLOCKED'] },
  region: { header: null, after: '"country":"', map: { usa: 'us' } },
};

function judge(
  {
    status = 200,
    body = '',
    header = {},
  }: { status?: number; body?: string; header?: Record<string, string> },
  check: Partial<ServiceCheck> = {},
  region: string | null = 'us',
) {
  const reply = { status, body, header: (name: string) => header[name] ?? null };
  const { verdict, reason } = judgeReply({ ...CHECK, ...check }, reply, region);
  return `${verdict}: ${reason}`;
}

const country = (code: string) => ({ body: `{"country":"${code}"}` });

describe('a reply is judged', () => {
  it.each([
    ['as expected, in the region', country('US'), 'ok: country US'],
    ['by a code that the check maps', country('USA'), 'ok: country USA'],
    ['from another country', country('de'), 'wrong_region: country de, expected region us'],
    [
      'as expected, without a country',
      { body: '"allowed":true' },
      'unknown: as expected, but tells no country',
    ],
    ['with a longer word for a country', country('usual'), 'unknown: as expected, but tells no country'],
    ['a refusal by status', { ...country('US'), status: 451 }, 'blocked: status 451'],
    [
      'a refusal by redirect',
      { status: 302, header: { location: 'https://films.com/Unavailable?x' } },
      'blocked: location has "/unavailable"',
    ],
    [
      'a refusal by text',
      { body: '{"country":"US","error":"GEO_BLOCKED"}' },
      'blocked: body has "GEO_BLOCKED"',
    ],
    ['an error of the service', { status: 503 }, 'unknown: status 503'],
    ['another page', { body: 'hello' }, 'unknown: body lacks "\\"allowed\\":true" and "\\"country\\""'],
    ['too many requests', { status: 429 }, 'unknown: status 429: too many requests'],
    [
      'a challenge with a status that means blocked',
      { status: 403, header: { 'cf-mitigated': 'challenge' } },
      'unknown: a bot wall (cf-mitigated)',
    ],
    [
      'a captcha',
      { status: 403, body: '<script src="https://ct.captcha-delivery.com/c.js">' },
      'unknown: a bot wall (captcha-delivery.com)',
    ],
  ])('%s', (_, reply, expected) => {
    expect(judge(reply)).toBe(expected);
  });

  it('by a region in a header field', () => {
    const region = { header: 'x-geo', after: null, map: {} };
    const body = '"allowed":true';
    expect(judge({ body, header: { 'x-geo': 'GB;London' } }, { region }, 'gb')).toBe('ok: country GB');
    expect(judge({ body, header: { 'x-geo': 'UK' } }, { region }, 'gb')).toBe('ok: country UK');
    expect(judge({ body }, { region }, 'gb')).toBe('unknown: as expected, but tells no country');
    const after = { header: 'x-geo', after: 'cc=', map: {} };
    expect(judge({ body, header: { 'x-geo': 'a=1, cc=fr' } }, { region: after }, 'gb')).toMatch(
      /^wrong_region: country fr/,
    );
  });

  it('without comparing regions where none is given', () => {
    expect(judge(country('DE'), {}, null)).toBe('ok: country DE');
    expect(judge({ body: '"allowed":true' }, { region: null, blocked: null })).toBe('ok: as expected');
  });

  it('in time that does not depend on the pattern', () => {
    const body = 'a'.repeat(65_536);
    const pattern = { ...NOTHING, body: ['(a+)+$'] };
    expect(judge({ body }, { expect: pattern, blocked: pattern })).toMatch(/^unknown: body lacks/);
  });
});
