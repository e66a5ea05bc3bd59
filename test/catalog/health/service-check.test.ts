import { describe, expect, it } from 'vitest';
import { checkEntries, entriesOf, type ProbeOutcome, summarize } from '../../../src/catalog/health/index.ts';

const NAMES = { names: ['films.example', 'cdn.example'], exact: ['one.carrier.example'] };

async function check(outcomes: Record<string, ProbeOutcome>, otherwise: ProbeOutcome = 'no-address') {
  let running = 0;
  let most = 0;
  const asked: string[] = [];
  const reports = await checkEntries(
    entriesOf(NAMES),
    async (host) => {
      asked.push(host);
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      return { outcome: outcomes[host] ?? otherwise, milliseconds: 1 };
    },
    2,
  );
  return { reports, asked, most, outcomes: reports.map(({ outcome }) => outcome) };
}

it('tries a name, then www. of it for a suffix, and an exact name alone, some at a time', async () => {
  const { asked, most, outcomes } = await check({ 'films.example': 'ok', 'www.cdn.example': 'ok' });
  expect(asked.sort()).toEqual(['cdn.example', 'films.example', 'one.carrier.example', 'www.cdn.example']);
  expect(most).toBe(2);
  expect(outcomes).toEqual(['ok', 'ok', 'no-address']);
});

it('prefers reporting a failure over a missing address', async () => {
  const { outcomes } = await check({ 'films.example': 'certificate', 'www.cdn.example': 'timeout' });
  expect(outcomes).toEqual(['certificate', 'timeout', 'no-address']);
});

describe('the verdict', () => {
  it.each<[string, Record<string, ProbeOutcome>, ProbeOutcome, boolean, string]>([
    ['ok where all answer', {}, 'ok', true, 'ok'],
    [
      'ok where a content network has no address',
      { 'cdn.example': 'no-address', 'www.cdn.example': 'no-address' },
      'ok',
      false,
      'ok',
    ],
    [
      'a failure then, if it is to be strict',
      { 'cdn.example': 'no-address', 'www.cdn.example': 'no-address' },
      'ok',
      true,
      'names-fail',
    ],
    [
      'a failure where an exact name has none',
      { 'one.carrier.example': 'no-address' },
      'ok',
      false,
      'names-fail',
    ],
    ['a failure where none has one', {}, 'no-address', false, 'names-fail'],
    [
      'a failure where one name does not answer',
      { 'films.example': 'origin-unreachable', 'www.films.example': 'no-address' },
      'ok',
      false,
      'names-fail',
    ],
    ["the relay's where it is not there", {}, 'unreachable', false, 'relay-fails'],
    ["the relay's where it drains", {}, 'draining', true, 'relay-fails'],
    [
      "the names' where the relay took part in one",
      { 'films.example': 'certificate' },
      'closed',
      false,
      'names-fail',
    ],
  ])('is %s', async (_, outcomes, otherwise, isStrict, verdict) => {
    const { reports } = await check(outcomes, otherwise);
    expect(summarize(reports, isStrict).verdict).toBe(verdict);
  });
});
