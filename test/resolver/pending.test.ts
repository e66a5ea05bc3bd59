import { expect, test } from 'vitest';
import { Pending } from '../../src/resolver/pending.ts';

test('whoever joins gets the result of who began, and afterwards it may begin again', async () => {
  const pending = new Pending<number>({ questions: 2, waitersPerQuestion: 2 });
  expect(pending.join('a')).toBeUndefined();
  const { promise, resolve } = Promise.withResolvers<number>();
  const began = pending.begin('a', () => promise);
  const joined = pending.join('a');
  resolve(7);
  expect(await Promise.all([began, joined])).toEqual([7, 7]);
  expect([pending.size, pending.join('a')]).toEqual([0, undefined]);
});

test('questions and waiters are bounded', () => {
  const pending = new Pending<number>({ questions: 2, waitersPerQuestion: 2 });
  const never = (): Promise<number> => new Promise(() => {});
  pending.begin('a', never);
  pending.begin('b', never);
  expect(pending.begin('c', never)).toBeNull();
  expect(pending.join('a')).not.toBeNull();
  expect(pending.join('a')).toBeNull();
});
