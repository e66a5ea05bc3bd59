import { expect, it } from 'vitest';
import { QueryVerdict } from '../../src/dns/verdict.ts';
import { QUERY_VERDICTS } from '../../src/metrics/index.ts';

it('every verdict has the label of its number', () => {
  const labels = Object.keys(QueryVerdict).map((key) => key.toLowerCase());
  expect(Object.values(QueryVerdict)).toEqual(labels.map((_, index) => index));
  expect(QUERY_VERDICTS).toEqual(labels);
});
