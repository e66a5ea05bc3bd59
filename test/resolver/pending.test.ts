import { expect, test } from 'vitest';
import { Joined, Pending, type Waiter } from '../../src/resolver/pending.ts';

class Recorder implements Waiter<number> {
  readonly results: number[] = [];
  resolved(result: number): void {
    this.results.push(result);
  }
  failed(): void {
    this.results.push(-1);
  }
}

test("callers that join get the first one's result, and afterwards the question may begin again", () => {
  const pending = new Pending<number>({ questions: 2, waitersPerQuestion: 3 });
  const waiters = [new Recorder(), new Recorder(), new Recorder()];
  expect(pending.join('a', waiters[0]!)).toBe(Joined.NO);
  expect(pending.begin('a', waiters[0]!)).toBe(true);
  for (const waiter of waiters.slice(1)) expect(pending.join('a', waiter)).toBe(Joined.YES);
  pending.settle('a', 7);
  expect(waiters.map(({ results }) => results)).toEqual([[7], [7], [7]]);
  expect([pending.size, pending.join('a', new Recorder())]).toEqual([0, Joined.NO]);
});

test('a waiter may ask the same again from its callback', () => {
  const pending = new Pending<number>({ questions: 1, waitersPerQuestion: 1 });
  let began = false;
  pending.begin('a', {
    failed: () => {},
    resolved: () => {
      began = pending.begin('a', new Recorder());
    },
  });
  pending.settle('a', 1);
  expect([began, pending.size]).toEqual([true, 1]);
});

test('questions and waiters are bounded', () => {
  const pending = new Pending<number>({ questions: 2, waitersPerQuestion: 2 });
  pending.begin('a', new Recorder());
  pending.begin('b', new Recorder());
  expect(pending.begin('c', new Recorder())).toBe(false);
  expect(pending.join('a', new Recorder())).toBe(Joined.YES);
  expect(pending.join('a', new Recorder())).toBe(Joined.FULL);
});

test('all waiters get an error', () => {
  const pending = new Pending<number>({ questions: 1, waitersPerQuestion: 2 });
  const waiters = [new Recorder(), new Recorder()];
  pending.begin('a', waiters[0]!);
  pending.join('a', waiters[1]!);
  pending.fail('a', new Error('an error'));
  expect([waiters.map(({ results }) => results), pending.size]).toEqual([[[-1], [-1]], 0]);
});
