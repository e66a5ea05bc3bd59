import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type YAMLMap,
} from 'yaml';
import { describe } from './describe.ts';
import { FORMATS, parseSize } from './formats.ts';
import { type Problem, show, showSecret } from './problem.ts';
import type { SchemaNode } from './schema.ts';
import type { Substitutions } from './substitute.ts';

/** Value of a node in the file, before the schema checks it. */
interface Found {
  readonly value: unknown;
  /** True if the text came from the environment: then its type follows the schema, not YAML. */
  readonly substituted: boolean;
}

/** Marks an invalid value; the default replaces it so that reading can go on. */
const INVALID = Symbol('invalid');

/** Reads a parsed file by the schema and fills in defaults. The result is usable only if `problems` is empty. */
export class Reader {
  readonly problems: Problem[] = [];
  /** A line for each deprecated key in the file. */
  readonly deprecations: string[] = [];
  private readonly file: string;
  private readonly document: Document;
  private readonly lines: LineCounter;
  private readonly substitutions: Substitutions;
  private readonly keyLines = new Map<string, number>();

  constructor(file: string, document: Document, lines: LineCounter, substitutions: Substitutions) {
    this.file = file;
    this.document = document;
    this.lines = lines;
    this.substitutions = substitutions;
  }

  /** Returns the value of `node` (undefined: not in the file), or the schema's default if it is invalid. */
  read(node: Node | null | undefined, schema: SchemaNode, path: string): unknown {
    if (node === undefined) return defaultOf(schema);
    const target = this.resolve(node);
    this.note(target, path);
    if (schema.deprecated !== undefined) {
      this.deprecations.push(`${path}: deprecated, and an error in the next release: ${schema.deprecated}`);
    }
    const value = this.readNode(target, schema, path);
    return value === INVALID ? defaultOf(schema) : value;
  }

  /** Returns the line of a key, or of its nearest ancestor in the file. */
  lineOf(path: string): number | undefined {
    for (let at = path; ; at = at.replace(/(?:^|\.)[^.[]*$|\[\d+\]$/, '')) {
      const line = this.keyLines.get(at);
      if (line !== undefined || at === '') return line;
    }
  }

  /** True if the file has a key. */
  isGiven(path: string): boolean {
    return this.keyLines.has(path);
  }

  /** Records an error at `path`, which need not be in the file. */
  reject(path: string, found: string, expected: string): void {
    this.problems.push({
      file: this.file,
      line: this.lineOf(path),
      key: path === '' ? undefined : path,
      found,
      expected,
    });
  }

  /** True if a key, its ancestors and its descendants have no errors. */
  isValid(path: string): boolean {
    return !this.problems.some(({ key = '' }) => key === path || isBelow(key, path) || isBelow(path, key));
  }

  private readNode(node: Node | null, schema: SchemaNode, path: string): unknown {
    // A mapping or list is checked against its own option, so that the error is about what is inside.
    const kind = isMap(node) ? 'object' : isSeq(node) ? 'array' : null;
    const option = schema.anyOf?.find(({ type }) => type === kind);
    if (option !== undefined) return this.readNode(node, option, path);
    if (schema.type === 'object') return this.readMapping(node, schema, path);
    if (schema.type === 'array') return this.readList(node, schema, path);
    return this.readScalar(node, schema, path);
  }

  private readMapping(node: Node | null, schema: SchemaNode, path: string): unknown {
    if (!isMap(node)) return this.mismatch(node, schema, path);
    const result: Record<string, unknown> = {};
    const [pattern, memberSchema] = Object.entries(schema.patternProperties ?? {})[0] ?? [];
    const seen = new Map<string, Node | null>();
    for (const { key: keyNode, value } of (node as YAMLMap<Node | null, Node | null>).items) {
      const name = this.readKey(keyNode, path);
      if (name === null) continue;
      const keyPath = path === '' ? keyText(name) : `${path}.${keyText(name)}`;
      this.note(keyNode, keyPath);
      const isKnown =
        pattern === undefined ? Object.hasOwn(schema.properties!, name) : new RegExp(pattern).test(name);
      if (seen.has(name)) this.reject(keyPath, 'the key a second time', 'each key once');
      else if (isKnown) seen.set(name, value);
      else this.unknownKey(keyPath, name, schema);
    }
    if (memberSchema !== undefined) {
      for (const [name, value] of seen)
        define(result, name, this.read(value, memberSchema, `${path}.${name}`));
      return result;
    }
    for (const [name, member] of Object.entries(schema.properties!)) {
      const value = seen.has(name) ? (seen.get(name) ?? null) : undefined;
      result[name] = this.read(value, member, path === '' ? name : `${path}.${name}`);
    }
    return result;
  }

  private readKey(node: Node | null, path: string): string | null {
    const target = this.resolve(node);
    if (isScalar(target)) {
      const source = target.source ?? String(target.value);
      const substitution = this.substitutions.apply(source);
      if (substitution === null) return source;
      if (!substitution.problem) return substitution.text;
      this.reject(path, substitution.problem.found, substitution.problem.expected);
      return null;
    }
    this.reject(path, 'a key that is not text', 'a key that is text');
    return null;
  }

  private unknownKey(path: string, name: string, schema: SchemaNode): void {
    if (schema.patternProperties) {
      this.reject(path, `the key ${show(name)}`, FORMATS.id.expected);
      return;
    }
    const known = Object.keys(schema.properties!);
    const close = known.find((key) => isCloseTo(key, name));
    this.reject(path, 'an unknown key', close === undefined ? `one of ${known.join(', ')}` : `${close}?`);
  }

  private readList(node: Node | null, schema: SchemaNode, path: string): unknown {
    if (!isSeq(node)) return this.mismatch(node, schema, path);
    const items: unknown[] = [];
    for (const [index, item] of (node.items as (Node | null)[]).entries()) {
      const itemPath = `${path}[${index}]`;
      const target = this.resolve(item);
      this.note(target ?? node, itemPath);
      const value = this.readNode(target, schema.items!, itemPath);
      if (value === INVALID) continue;
      if (schema.uniqueItems && items.includes(value)) {
        this.reject(itemPath, `${this.show(target, schema.items!)} a second time`, 'each once');
      } else items.push(value);
    }
    return items;
  }

  private readScalar(node: Node | null, schema: SchemaNode, path: string): unknown {
    const found = this.scalar(node, path);
    if (found === INVALID) return INVALID;
    const value = found === null ? undefined : accept(found as Found, schema);
    return value === undefined ? this.mismatch(node, schema, path) : value;
  }

  private mismatch(node: Node | null, schema: SchemaNode, path: string): typeof INVALID {
    const found = isScalar(node) ? this.scalar(node, path) : null;
    if (found !== INVALID) this.reject(path, this.show(node, schema), describe(schema));
    return INVALID;
  }

  /** Returns a scalar with its variables filled in; null for other nodes, INVALID if a variable is missing. */
  private scalar(node: Node | null, path: string): Found | null | typeof INVALID {
    if (node === null) return { value: null, substituted: false };
    if (!isScalar(node)) return null;
    const text = typeof node.value === 'string' ? node.value : null;
    const substitution = text === null ? null : this.substitutions.apply(text);
    if (substitution === null) return { value: node.value, substituted: false };
    if (!substitution.problem) return { value: substitution.text, substituted: true };
    const { found, expected } = substitution.problem;
    if (!this.problems.some((problem) => problem.key === path && problem.found === found)) {
      this.reject(path, found, expected);
    }
    return INVALID;
  }

  /** Formats a node for an error, with the variables it came from. */
  private show(node: Node | null, schema: SchemaNode): string {
    const shown = schema.writeOnly ? showSecret : show;
    if (node === null) return 'nothing';
    if (isMap(node)) return shown({});
    if (isSeq(node)) return shown(schema.writeOnly ? [0] : node.items);
    const value = isScalar(node) ? node.value : null;
    const substitution = typeof value === 'string' ? this.substitutions.apply(value) : null;
    if (substitution === null) return shown(value);
    return `${shown(substitution.text)} from ${substitution.variables.map((name) => `\${${name}}`).join(', ')}`;
  }

  private resolve(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.document) ?? null) : node;
  }

  private note(node: Node | null, path: string): void {
    if (node?.range && !this.keyLines.has(path)) {
      this.keyLines.set(path, this.lines.linePos(node.range[0]).line);
    }
  }
}

/** Converts a scalar by the schema; undefined if the schema does not accept it. */
function accept({ value, substituted }: Found, schema: SchemaNode): unknown {
  if (schema.anyOf) {
    for (const option of schema.anyOf) {
      const taken = accept({ value, substituted }, option);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }
  if (schema.const !== undefined) return value === schema.const ? value : undefined;
  if (schema.enum) return schema.enum.includes(value as string) ? value : undefined;
  if (schema.type === 'boolean') return acceptBoolean(value, substituted);
  if (schema.type === 'integer') return acceptInteger(value, substituted, schema);
  if (schema.type === 'object' || schema.type === 'array') return undefined;
  if (schema.type !== 'string' && (value === null || (substituted && value === ''))) return null;
  if (typeof value !== 'string' || schema.type === 'null') return undefined;
  if (schema.format === undefined || schema.format === 'size') return value;
  return FORMATS[schema.format].parse(value) ?? undefined;
}

function acceptBoolean(value: unknown, substituted: boolean): boolean | undefined {
  if (typeof value === 'boolean') return value;
  if (!substituted) return undefined;
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

function acceptInteger(value: unknown, substituted: boolean, schema: SchemaNode): number | undefined {
  let number = value;
  if (typeof value === 'string') {
    if (schema.format === 'size') number = parseSize(value);
    else if (substituted && /^-?\d{1,15}$/.test(value)) number = Number(value);
  }
  if (typeof number !== 'number' || !Number.isInteger(number)) return undefined;
  return number >= schema.minimum! && number <= schema.maximum! ? number : undefined;
}

/** Builds the default of a node; a section's is made of its keys'. */
export function defaultOf(schema: SchemaNode): unknown {
  if (schema.default !== undefined) return structuredClone(schema.default);
  if (schema.properties === undefined) return null;
  return Object.fromEntries(Object.entries(schema.properties).map(([key, node]) => [key, defaultOf(node)]));
}

/** Sets a property that may be named `__proto__`. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

function keyText(name: string): string {
  return /^[\w-]{1,63}$/.test(name) ? name : show(name);
}

function isBelow(path: string, above: string): boolean {
  return above === '' || path.startsWith(`${above}.`) || path.startsWith(`${above}[`);
}

/** At most one edit apart, or equal except for case, hyphens and underscores. */
function isCloseTo(key: string, name: string): boolean {
  const [a, b] = [key, name].map((text) => text.toLowerCase().replace(/[-_]/g, ''));
  if (a === b) return true;
  if (Math.abs(a!.length - b!.length) > 1 || Math.min(a!.length, b!.length) < 3) return false;
  let start = 0;
  while (start < a!.length && a![start] === b![start]) start++;
  let end = 0;
  while (end < Math.min(a!.length, b!.length) - start && a!.at(-1 - end) === b!.at(-1 - end)) end++;
  return Math.max(a!.length, b!.length) - start - end <= 1;
}
