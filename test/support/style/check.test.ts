import { describe, expect, it } from 'vitest';
import { checkText } from './check.ts';

/** Rules that `text` breaks, by line. */
const found = (text: string, path = 'src/x.ts') =>
  checkText(path, text).map((finding) => finding.split(':').slice(1, 3).join(':'));

describe('the style check', () => {
  it.each([
    ['/** What the table holds. */', '1: a docstring begins with a verb or a noun'],
    ['\n/**\n * Whether it is open.\n */', '2: a docstring begins with a verb or a noun'],
    ['// There is none: it cannot be had.', '1: plain English'],
    ["throw new Error('no octets');", '1: bytes, not octets'],
    ['const catalogue = 1;', '1: catalog, not catalogue'],
    ['class A {\n  #count = 0;\n}', '2: private, not #names'],
    ['class NotFound extends Error {}', '1: error classes end in Error'],
    ["readonly code = 'NOT_FOUND';", '1: error codes are snake_case'],
    ['try { f(); } catch (e) {}', '1: a caught error is `error`'],
    ['f({ ...{ a, b }, c });', '1: no spread of a fresh literal'],
    ['export const Verdict = {\n  Dropped: 0,\n} as const;', '1: enum members in UPPER_CASE'],
  ])('finds %j', (text, finding) => {
    expect(found(text)).toEqual([finding]);
  });

  it.each([
    '/** Slots of the table. Whatever is left over goes to the next one. */',
    '// There is no room left.',
    "const type = 'application/octet-stream';",
    "const code = 'What is this';",
    'class NotFoundError extends Error {}',
    "readonly code = 'not_found';",
    'try { f(); } catch (error) {}',
    'f({ ...options, c });',
    'export const Verdict = {\n  DROPPED: 0,\n} as const;',
  ])('finds nothing in %j', (text) => {
    expect(found(text)).toEqual([]);
  });

  it('reads rules about code in code only, and rules about comments in comments only', () => {
    expect(found('// catch (e) is wrong')).toEqual([]);
    expect(found("const text = '/* nothing */ What';")).toEqual([]);
  });
});
