import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { checkConfig } from './checks.ts';
import { ConfigError } from './fault.ts';
import { Reader } from './read.ts';
import { CONFIG_SCHEMA, type Config, type FileConfig } from './schema.ts';
import { type Environment, Substitutions } from './substitute.ts';
import { warningsOf } from './warnings.ts';

export interface LoadOptions {
  /** The configuration's file, absolute or relative to `cwd`; faults name it as it is given here. */
  readonly file: string;
  readonly env: Environment;
  readonly cwd: string;
}

export interface LoadedConfig {
  /** Frozen throughout. */
  readonly config: Config;
  readonly file: string;
  /** Where the file is: what `catalog.services` is relative to. */
  readonly directory: string;
  /** Allowed and seldom meant: one line each. */
  readonly warnings: readonly string[];
}

const LARGEST_FILE_BYTES = 2 ** 20;
/** What comes after the first few is their consequence. */
const MOST_YAML_FAULTS = 5;

/**
 * Reads, checks and freezes a configuration.
 *
 * @throws ConfigError with every fault that was found, each as one line.
 */
export function loadConfig({ file, env, cwd }: LoadOptions): LoadedConfig {
  const path = resolve(cwd, file);
  const substitutions = new Substitutions(env);
  const lines = new LineCounter();
  const document = parse(file, substitutions.tokenise(readText(file, path)), lines);
  const reader = new Reader(file, document, lines, substitutions);
  if (document.contents === null) throw fileError(file, 'nothing in it', 'a mapping');
  const read = reader.read(document.contents, CONFIG_SCHEMA, '') as FileConfig;
  checkConfig(read, reader);
  if (reader.faults.length > 0) throw new ConfigError(reader.faults);
  const defaultRegion = read.defaultRegion ?? Object.keys(read.regions)[0] ?? '';
  const beside = (name: string | null) => (name === null ? null : resolve(dirname(path), name));
  const tls = { certFile: beside(read.tls.certFile), keyFile: beside(read.tls.keyFile) };
  const config = freeze({ ...read, dataDir: resolve(cwd, read.dataDir), tls, defaultRegion });
  return Object.freeze({
    config,
    file,
    directory: dirname(path),
    warnings: Object.freeze(warningsOf(config)),
  });
}

function readText(file: string, path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > LARGEST_FILE_BYTES) {
      throw fileError(file, `${bytes.length} bytes`, `at most ${LARGEST_FILE_BYTES}`);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fileError(file, 'no such file', 'a configuration');
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw fileError(file, 'other bytes', 'UTF-8 text');
    throw fileError(file, `a file that cannot be read (${code ?? 'unknown'})`, 'a configuration');
  }
}

/** Messages of the YAML library may quote the file, and so a secret: faults are told in words of our own. */
const YAML_FAULTS: Readonly<Record<string, readonly [found: string, expected: string]>> = {
  DUPLICATE_KEY: ['a key a second time', 'each key once'],
  MULTIPLE_DOCS: ['a second document', 'one document'],
  TAG_RESOLVE_FAILED: ['an unknown tag', 'plain YAML'],
  BAD_INDENT: ['a line whose indentation does not fit', 'YAML'],
  TAB_AS_INDENT: ['a tab as indentation', 'spaces'],
  MISSING_CHAR: ['a bracket, quote or colon that is missing', 'YAML'],
  BAD_ALIAS: ['an alias without its anchor', 'YAML'],
};

function parse(file: string, text: string, lineCounter: LineCounter): Document {
  let document: Document;
  try {
    document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false, version: '1.2' });
  } catch (error) {
    // Nesting without end overflows the parser's stack.
    const reason = error instanceof RangeError ? 'nested too deeply' : 'that cannot be read';
    throw fileError(file, `YAML ${reason}`, 'a configuration');
  }
  const problems: YAMLError[] = [...document.errors, ...document.warnings];
  if (problems.length === 0) return document;
  throw new ConfigError(
    problems.slice(0, MOST_YAML_FAULTS).map(({ code, pos }) => {
      const [found, expected] = YAML_FAULTS[code] ?? [`what is not YAML (${code})`, 'YAML'];
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
