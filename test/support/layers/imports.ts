import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** An import of one source file by another. */
export interface Import {
  /** Paths are relative to src/, with `/`. */
  readonly from: string;
  /** A path relative to src/ (`../x` when outside it), or a library's name as it stands. */
  readonly to: string;
  readonly isLibrary: boolean;
  /** Erased before it runs. */
  readonly isType: boolean;
  /** The file becomes a thread of its own. */
  readonly isThread: boolean;
}

export interface Source {
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

// The formatter puts statements at the beginning of a line and specifiers between quotes.
const STATIC = /^(?:import|export)\s+(type\s)?[\w\s{},*$]*?\bfrom\s*(['"])([^'"]+)\2/gm;
const SIDE_EFFECT = /^import\s*(['"])([^'"]+)\1/gm;
const ERASED = /(?:\btypeof\s+|:\s*|<\s*)import\s*\(\s*(['"])([^'"]+)\1/g;
const DYNAMIC = /(?<!\btypeof\s)(?<![:<]\s?)\bimport\s*\(\s*(['"])([^'"]+)\1/g;
const REQUIRE = /\b(?:require|createRequire\([^)]*\)|getBuiltinModule)\s*\(\s*(['"])([^'"]+)\1/g;
/** An import whose specifier is not a literal, so it cannot be checked. */
export const UNREADABLE = /\bimport\s*\(\s*[^'"\s)]/;
const THREAD = /new URL\(\s*(['"])(\.[^'"]+\.ts)\1,\s*import\.meta\.url/g;

/** Reads all TypeScript files below `root`/src with their imports of every kind. */
export function readSources(root: string): Source[] {
  const source = join(root, 'src');
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .toSorted()
    .map((file) => {
      const text = readFileSync(join(source, file), 'utf8');
      return { file, text, imports: importsOf(file, text) };
    });
}

function importsOf(from: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, isType: boolean, isThread = false) => {
    const isLibrary = !specifier.startsWith('.');
    const to = isLibrary ? specifier : posix.join(posix.dirname(from), specifier);
    found.push({ from, to, isLibrary, isType, isThread });
  };
  for (const [, type, , specifier] of text.matchAll(STATIC)) add(specifier, type !== undefined);
  for (const [, , specifier] of text.matchAll(ERASED)) add(specifier, true);
  for (const pattern of [SIDE_EFFECT, DYNAMIC, REQUIRE]) {
    for (const [, , specifier] of text.matchAll(pattern)) add(specifier, false);
  }
  for (const [, , specifier] of text.matchAll(THREAD)) add(specifier, false, true);
  return found;
}
