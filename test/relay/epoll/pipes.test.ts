import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Pipes } from '../../../src/relay/epoll/pipes.ts';
import type { Pipe } from '../../../src/sys/index.ts';

const MAX = 3;
const open = (): Set<string> => new Set(readdirSync('/proc/self/fd'));
const isOpen = ({ readEnd, writeEnd }: Pipe): boolean =>
  [readEnd, writeEnd].every((fd) => open().has(String(fd)));

const taken: Pipe[] = [];
const pipes = new Pipes(MAX);
const take = (): Pipe | null => {
  const pipe = pipes.take();
  if (pipe !== null) taken.push(pipe);
  return pipe;
};
afterEach(() => {
  for (const pipe of taken.splice(0)) pipes.give(pipe, true);
});

describe('the pipes of a relay thread', () => {
  it('are bounded', () => {
    const got = Array.from({ length: MAX + 1 }, take);
    expect(got.map((pipe) => pipe !== null)).toEqual([true, true, true, false]);
  });

  it('are reused', () => {
    const first = take()!;
    pipes.give(taken.pop()!, true);
    expect(take()).toBe(first);
    expect(isOpen(first)).toBe(true);
  });

  it('are closed if data is left in them, which makes room for another', () => {
    const got = Array.from({ length: MAX }, take) as Pipe[];
    pipes.give(taken.pop()!, false);
    expect(isOpen(got[MAX - 1]!)).toBe(false);
    expect(take()).not.toBeNull();
  });

  it('are closed at the end', () => {
    const pipe = take()!;
    pipes.give(taken.pop()!, true);
    pipes.close();
    expect(isOpen(pipe)).toBe(false);
  });
});
