/**
 * Finds what a machine can hold of the project's style: docstring openings, tics, spelling, one dialect of names.
 * Run by hand on some folders: `node test/support/style/check.ts src/dns test/dns`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Rule {
  readonly name: string;
  /** Which text of a file the rule reads. */
  readonly of: 'comments' | 'code' | 'all';
  readonly pattern: RegExp;
}

/** Phrases that made readers stop: archaic inversions and clauses that stand for a noun of the field. */
const TICS = [
  'is none of',
  'are none of',
  '(?<!there )is no(?! longer)',
  '(?<!there )are no(?! longer)',
  'cannot be had',
  'can be had',
  'lets us not',
  'uses to be',
  'in place of',
  'not any more',
  'no \\w+ any more',
  'whoever',
  'who has none',
  'there to',
  'for want of',
  'is told of',
  'are told of',
  'has it that',
  'serves it not',
].join('|');

const RULES: readonly Rule[] = [
  {
    name: 'a docstring begins with a verb or a noun',
    of: 'comments',
    pattern: /\/\*\*\s*(?:\* )?\s*(?:What|Whether|Whoever|Whose|Who|How|Of the|Of an?|Where it|Which)\b/g,
  },
  { name: 'plain English', of: 'all', pattern: new RegExp(`\\b(?:${TICS})\\b`, 'gi') },
  { name: 'bytes, not octets', of: 'all', pattern: /octet(?!-stream)/gi },
  { name: 'catalog, not catalogue', of: 'all', pattern: /catalogue/gi },
  {
    name: 'private, not #names',
    of: 'code',
    pattern: /\bthis\.#\w+|^\s+(?:(?:static|readonly|async) )*#\w+/gm,
  },
  {
    name: 'error classes end in Error',
    of: 'code',
    pattern: /\bclass (?!\w*Error\b)\w+ extends \w*Error\b/g,
  },
  { name: 'error codes are snake_case', of: 'code', pattern: /\bcode = '[A-Z][A-Z_]+'/g },
  { name: 'a caught error is `error`', of: 'code', pattern: /\bcatch \((?!error\b)\w+\)/g },
  { name: 'no spread of a fresh literal', of: 'code', pattern: /\.\.\.\{ /g },
  {
    name: 'enum members in UPPER_CASE',
    of: 'code',
    pattern: /^export const [A-Z][a-z]\w+ = \{\n(?:.*\n)*?\s+[A-Z]+[a-z]\w*: .*\n(?:.*\n)*?\} as const;/gm,
  },
];

/** Files that quote what they forbid. */
const EXEMPT = /^test\/support\/style\/|^test\/style\.test\.ts$|^src\/GLOSSARY\.md$/;

/** Lists the findings below `folders` (paths from `root`), each as `file:line: rule: text`. */
export function checkStyle(root: string, folders: readonly string[]): string[] {
  const files = folders.flatMap((folder) => sourceFiles(join(root, folder)));
  return files.flatMap((file) => {
    const path = relative(root, file);
    return EXEMPT.test(path) ? [] : checkText(path, readFileSync(file, 'utf8'));
  });
}

/** Lists the findings in one file. */
export function checkText(path: string, text: string): string[] {
  const comments = text.replace(COMMENT_OR_CODE, (part, comment) => (comment ? part : blank(part)));
  const code = text.replace(COMMENT_OR_CODE, (part, comment) => (comment ? blank(part) : part));
  // A style sheet's `#id` is no private member.
  const texts = { all: text, comments, code: path.endsWith('.css') ? '' : code };
  return RULES.flatMap(({ name, of, pattern }) =>
    [...texts[of].matchAll(pattern)].map((match) => {
      const line = text.slice(0, match.index).split('\n').length;
      return `${path}:${line}: ${name}: ${match[0].trim().split('\n')[0].slice(0, 80)}`;
    }),
  );
}

const COMMENT_OR_CODE = /(\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$)|(?:(?!\/\*|(?<=^|\s)\/\/)[\s\S])+/gm;

/** Keeps line breaks, so that positions stay. */
function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}

function sourceFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return /\.(ts|js|lua|md|yaml|css)$/.test(path) ? [path] : [];
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .flatMap((name) => sourceFiles(join(path, name)));
}

if (import.meta.main) {
  const findings = checkStyle(process.cwd(), process.argv.slice(2));
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(`${findings.length} findings\n`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
