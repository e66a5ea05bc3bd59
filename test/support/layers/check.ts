import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Import, readSources, type Source, UNREADABLE } from './imports.ts';
import {
  FORBIDDEN,
  HEIGHTS,
  IMPORTED_ONLY_BY,
  LEAF_LIBRARIES,
  LIBRARY_OWNERS,
  NOT_LOADED_WITH,
  PAGES,
  TOP_LEVEL,
} from './rules.ts';

const IGNORED_BY_GIT = ['node_modules', 'var', 'coverage', 'dist'];

/** Lists violations of rules.ts in the tree at `root`, a line each. */
export function checkLayers(root: string): string[] {
  const sources = readSources(root);
  const dependencies = readDependencies(root);
  const imports = sources.flatMap((source) => source.imports);
  return [
    ...strangers(root),
    ...imports.filter((one) => !one.isLibrary).flatMap(checkImport),
    ...imports.filter((one) => one.isLibrary).flatMap((one) => checkLibrary(one, dependencies)),
    ...sources
      .filter(({ text }) => UNREADABLE.test(text))
      .map(({ file }) => `${file}: an import without a literal`),
    ...sources.flatMap(checkFace),
    ...cycles(sources),
    ...loaded(sources),
  ];
}

/** Part of a path relative to src/; main.ts is a part by itself. */
function partOf(path: string): string {
  return path.split('/', 1)[0];
}

/** Returns true if a name is `rule`, or below a `rule` that ends in `/`. */
function matches(rule: string, name: string): boolean {
  return rule.endsWith('/') ? name.startsWith(rule) : name === rule;
}

function matchesAny(rules: readonly string[], name: string): boolean {
  return rules.some((rule) => matches(rule, name));
}

function readDependencies(root: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.keys(dependencies);
}

function strangers(root: string): string[] {
  const top = readdirSync(root)
    .filter((name) => !name.startsWith('.') && !IGNORED_BY_GIT.includes(name) && !TOP_LEVEL.includes(name))
    .map((name) => `${name}: does not belong at the top`);
  const parts = readdirSync(join(root, 'src'))
    .filter((name) => HEIGHTS[name] === undefined && !PAGES.includes(name))
    .map((name) => `src/${name}: not a known part`);
  return [...top, ...parts];
}

function checkImport({ from, to, isThread }: Import): string[] {
  const [importer, imported] = [partOf(from), partOf(to)];
  if (imported === '..') return [`${from}: imports ${to}, which is not in src`];
  if (importer === imported) return [];
  if (isThread) return [`${from}: starts a thread of another part, ${to}`];
  const faults: string[] = [];
  const only = IMPORTED_ONLY_BY[imported];
  if (!(HEIGHTS[imported] < HEIGHTS[importer])) faults.push(`${from}: imports ${to}, which is not below it`);
  else if (only && !only.includes(importer)) faults.push(`${from}: imports ${to}, which is for ${only} only`);
  const isCommand = importer === 'main.ts' && imported === 'cli';
  if (!isCommand && !to.endsWith('/index.ts')) faults.push(`${from}: imports ${to}, past its face`);
  return faults;
}

function checkLibrary({ from, to }: Import, dependencies: readonly string[]): string[] {
  const faults: string[] = [];
  const fault = (text: string) => faults.push(`${from}: imports ${to}, ${text}`);
  for (const [library, owners] of Object.entries(LIBRARY_OWNERS)) {
    if (matches(library, to) && !matchesAny(owners, from)) fault(`which is for ${owners.join(', ')} only`);
  }
  for (const [path, libraries] of Object.entries(FORBIDDEN)) {
    if (matches(path, from) && matchesAny(libraries, to)) fault('which is too slow there');
  }
  if (to.startsWith('node:')) return faults;
  const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/');
  if (!dependencies.includes(name)) fault('which package.json does not have for production');
  const leaf = LEAF_LIBRARIES[partOf(from)];
  if (leaf && !leaf.includes(name)) fault('but a leaf has its own small libraries only');
  return faults;
}

/** A face only re-exports. */
function checkFace({ file, text }: Source): string[] {
  if (!file.endsWith('/index.ts')) return [];
  const rest = text
    .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    .replace(/^export\s[\w\s{},*$]*?\bfrom\s*(['"])[^'"]+\1;/gm, '');
  return rest.trim() === '' ? [] : [`${file}: a face only re-exports`];
}

/** One line for each file that can reach itself inside its part; type imports count, threads do not. */
function cycles(sources: readonly Source[]): string[] {
  const within = new Map(
    sources.map(({ file, imports }) => [
      file,
      imports.filter((one) => !one.isThread && partOf(one.to) === partOf(file)).map((one) => one.to),
    ]),
  );
  const done = new Set<string>();
  const faults: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      faults.push(`${[...path.slice(path.indexOf(file)), file].join(' -> ')}: a cycle`);
      return;
    }
    if (done.has(file)) return;
    for (const next of within.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of within.keys()) visit(file, []);
  return faults;
}

/** Finds imports that NOT_LOADED_WITH forbids, each with its import chain. */
function loaded(sources: readonly Source[]): string[] {
  const atRuntime = new Map(
    sources.map(({ file, imports }) => [file, imports.filter((one) => !one.isType && !one.isThread)]),
  );
  const faults: string[] = [];
  for (const [rule, libraries] of Object.entries(NOT_LOADED_WITH)) {
    for (const start of [...atRuntime.keys()].filter((file) => matches(rule, file))) {
      const seen = new Set<string>();
      const visit = (file: string, path: readonly string[]): void => {
        if (seen.has(file)) return;
        seen.add(file);
        for (const { to, isLibrary } of atRuntime.get(file) ?? []) {
          if (!isLibrary) visit(to, [...path, to]);
          else if (matchesAny(libraries, to))
            faults.push(`${[...path, to].join(' -> ')}: must not be loaded`);
        }
      };
      visit(start, [start]);
    }
  }
  return faults;
}
