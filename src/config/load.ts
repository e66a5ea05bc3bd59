import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { checkConfig } from './checks.ts';
import { deriveFromDomain } from './derive.ts';
import { ConfigError } from './problem.ts';
import { Reader } from './read.ts';
import { CONFIG_SCHEMA, type Config, type FileConfig } from './schema.ts';
import { type Environment, type FileReader, Substitutions } from './substitute.ts';
import { warningsOf } from './warnings.ts';

export interface LoadOptions {
  /** Configuration file, absolute or relative to `cwd`; errors name it as given here. */
  readonly file: string;
  readonly env: Environment;
  readonly cwd: string;
}

export interface LoadedConfig {
  /** Deeply frozen. */
  readonly config: Config;
  readonly file: string;
  /** Directory of the file; `catalog.services` is relative to it. */
  readonly directory: string;
  /** Settings that are allowed but rarely intended, one line each. */
  readonly warnings: readonly string[];
}

const MAX_FILE_BYTES = 2 ** 20;
/** Limit of a file that `${file:PATH}` names: a secret, not a document. */
const MAX_VALUE_BYTES = 2 ** 16;
/** Later YAML errors are usually consequences of the first. */
const MAX_YAML_PROBLEMS = 5;

/**
 * Reads, checks and freezes a configuration.
 *
 * @throws ConfigError with a line for each error
 */
export function loadConfig({ file, env, cwd }: LoadOptions): LoadedConfig {
  const path = resolve(cwd, file);
  const substitutions = new Substitutions(env, (name) => readValue(resolve(dirname(path), name)));
  const lines = new LineCounter();
  const document = parse(file, substitutions.tokenize(readText(file, path)), lines);
  const reader = new Reader(file, document, lines, substitutions);
  if (document.contents === null) throw fileError(file, 'nothing in it', 'a mapping');
  const given = reader.read(document.contents, CONFIG_SCHEMA, '') as FileConfig;
  const read = deriveFromDomain(given, (path) => reader.isGiven(path));
  checkConfig(read, reader);
  if (reader.problems.length > 0) throw new ConfigError(reader.problems);
  const defaultRegion = read.defaultRegion ?? Object.keys(read.regions)[0] ?? '';
  const resolveHere = (name: string | null) => (name === null ? null : resolve(dirname(path), name));
  const tls = { certFile: resolveHere(read.tls.certFile), keyFile: resolveHere(read.tls.keyFile) };
  const config = freeze({ ...read, dataDir: resolve(cwd, read.dataDir), tls, defaultRegion });
  return Object.freeze({
    config,
    file,
    directory: dirname(path),
    warnings: Object.freeze([...reader.deprecations, ...warningsOf(config)]),
  });
}

function readText(file: string, path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_FILE_BYTES) {
      throw fileError(file, `${bytes.length} bytes`, `at most ${MAX_FILE_BYTES}`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fileError(file, 'no such file', 'a configuration');
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw fileError(file, 'other bytes', 'UTF-8 text');
    throw fileError(file, `an unreadable file (${code ?? 'unknown'})`, 'a configuration');
  }
}

function readValue(path: string): ReturnType<FileReader> {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_VALUE_BYTES) return { problem: `which has more than ${MAX_VALUE_BYTES} bytes` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { problem: 'which does not exist' };
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return { problem: 'which is not UTF-8' };
    return { problem: `which cannot be read (${code ?? 'unknown'})` };
  }
}

/** Our own wording: the YAML library's messages may quote the file, and with it a secret. */
const YAML_PROBLEMS: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  DUPLICATE_KEY: ['a key a second time', 'each key once'],
  MULTIPLE_DOCS: ['a second document', 'one document'],
  TAG_RESOLVE_FAILED: ['an unknown tag', 'plain YAML'],
  BAD_INDENT: ['a wrongly indented line', 'YAML'],
  TAB_AS_INDENT: ['a tab as indentation', 'spaces'],
  MISSING_CHAR: ['a missing bracket, quote or colon', 'YAML'],
  BAD_ALIAS: ['an alias without its anchor', 'YAML'],
};

function parse(file: string, text: string, lineCounter: LineCounter): Document {
  let document: Document;
  try {
    document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false, version: '1.2' });
  } catch (error) {
    // Deep nesting overflows the parser's stack.
    const reason = error instanceof RangeError ? 'nested too deeply' : 'that is not readable';
    throw fileError(file, `YAML ${reason}`, 'a configuration');
  }
  const errors: YAMLError[] = [...document.errors, ...document.warnings];
  if (errors.length === 0) return document;
  // One tab makes the parser complain about every line after it.
  const shown = errors[0].code === 'TAB_AS_INDENT' ? 1 : MAX_YAML_PROBLEMS;
  throw new ConfigError(
    errors.slice(0, shown).map(({ code, pos }) => {
      const [found, expected] = YAML_PROBLEMS[code] ?? [`what is not YAML (${code})`, 'YAML'];
      return { file, line: lineCounter.linePos(pos[0]).line || undefined, found, expected };
    }),
  );
}

function fileError(file: string, found: string, expected: string): ConfigError {
  return new ConfigError([{ file, found, expected }]);
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) freeze(member);
  return Object.freeze(value);
}
