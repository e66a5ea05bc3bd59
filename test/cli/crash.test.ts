import { describe, expect, it } from 'vitest';
import { crash, crashReport, EXIT_CRASH } from '../../src/cli/crash.ts';

const SECRET = 'private.example.com';

describe('a crash', () => {
  it('is one JSON line with class, code and code locations, and exit code 70', () => {
    const lines: string[] = [];
    const codes: number[] = [];
    const error = Object.assign(new TypeError(`cannot resolve ${SECRET}`), { code: 'ERR_BAD' });
    crash(error, { write: (line) => lines.push(line), exit: (code) => codes.push(code) });
    expect(codes).toEqual([EXIT_CRASH]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'fatal',
      msg: 'crash',
      name: 'TypeError',
      code: 'ERR_BAD',
      frames: expect.arrayContaining([expect.stringMatching(/^test\/cli\/crash\.test\.ts:\d+:\d+$/)]),
    });
    expect(lines[0]).not.toContain(SECRET);
  });

  it.each<[string, () => unknown]>([
    [
      'a message of many lines that look like frames',
      () => new Error(`x\n    at ${SECRET} (/${SECRET}:1:1)\n    at f (/work/${SECRET}:2:2)`),
    ],
    ['a message that was changed', () => Object.assign(new Error(`a ${SECRET}`), { message: 'b' })],
    ['a name', () => Object.assign(new Error('x'), { name: SECRET })],
    ['a code', () => Object.assign(new Error('x'), { code: SECRET })],
    [
      'a class',
      () =>
        new (class extends Error {
          static override name = SECRET;
        })('x'),
    ],
    ['a cause', () => new Error('x', { cause: new Error(SECRET) })],
    ['many errors', () => new AggregateError([new Error(SECRET)], SECRET)],
    [
      'a function whose name is computed',
      () => {
        const table = { [SECRET]: () => new Error('x') };
        return table[SECRET]!();
      },
    ],
    ['a property', () => Object.assign(new Error('x'), { address: SECRET, hostname: SECRET })],
    ['text that was thrown', () => SECRET],
    ['an object that was thrown', () => ({ [SECRET]: SECRET })],
    [
      'a stack of its own',
      () => Object.assign(new Error(''), { stack: `Error\n    at ${SECRET} (/x/${SECRET}:1:1)` }),
    ],
  ])('tells nothing of what stands in %s', (_, make) => {
    expect(JSON.stringify(crashReport(make()))).not.toContain('private');
  });

  it.each([
    [undefined],
    [null],
    [5],
    [Symbol('x')],
    [
      new Proxy(
        {},
        {
          getPrototypeOf: () => {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('is told whatever was thrown', (thrown) => {
    expect(crashReport(thrown)).toMatchObject({ level: 'fatal', msg: 'crash', frames: [] });
  });

  it('ends the process even if its line cannot be written', () => {
    const codes: number[] = [];
    const write = () => {
      throw new Error('EPIPE');
    };
    crash(new Error('x'), { write, exit: (code) => codes.push(code) });
    expect(codes).toEqual([EXIT_CRASH]);
  });
});
