import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/schema';
import { type FieldError, ProblemError } from './problem.ts';

interface SchemaError {
  keyword: string;
  instancePath: string;
  params: object;
}

/** Errors named in one reply. */
const MAX_ERRORS = 10;

/**
 * Unknown names are repeated to the caller only if they look like a field name: others could be an address or a secret
 * in the wrong place.
 */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,23}$/;

/** Returns the schema node of a path into the value. */
function nodeAt(schema: TSchema, path: readonly string[]): Record<string, unknown> {
  let node = schema as Record<string, unknown>;
  for (const name of path) {
    const properties = node['properties'] as Record<string, Record<string, unknown>> | undefined;
    const rest = node['additionalProperties'];
    const next = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : rest;
    if (typeof next !== 'object' || next === null) return {};
    node = next as Record<string, unknown>;
  }
  return node;
}

/** Describes what a schema node expects: its own `expected`, or a text derived from its keywords. */
function expectation(node: Record<string, unknown>): string {
  if (typeof node['expected'] === 'string') return node['expected'];
  if (node['const'] !== undefined) return JSON.stringify(node['const']);
  const { type, minimum, maximum } = node;
  if (type === 'integer' && minimum !== undefined) return `a whole number from ${minimum} to ${maximum}`;
  if (typeof type === 'string') return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
  return 'a value as described in /openapi.json';
}

/** Returns the dotted name of a field as far as it may be repeated; `part` if none of it may. */
export function shownField(path: readonly string[], part: string): string {
  const shown = path.every((name) => FIELD_NAME.test(name)) ? path.join('.') : (path[0] ?? '');
  return shown === '' || !FIELD_NAME.test(path[0]!) ? part : shown;
}

function unknownFields(
  node: Record<string, unknown>,
  path: readonly string[],
  error: SchemaError,
  part: string,
) {
  const known = Object.keys((node['properties'] as object | undefined) ?? {}).join(', ');
  const names = (error.params as { additionalProperties?: string[] }).additionalProperties ?? [];
  return names.map((name) => ({
    field: shownField([...path, name], part),
    expected: known === '' ? 'no such field' : `no such field; known fields: ${known}`,
  }));
}

function fieldErrors(schema: TSchema, errors: readonly SchemaError[], part: string): FieldError[] {
  const found = new Map<string, FieldError>();
  const add = (error: FieldError) => {
    if (!found.has(error.field) && found.size < MAX_ERRORS) found.set(error.field, error);
  };
  for (const error of errors) {
    const path = error.instancePath.split('/').slice(1).map(unescapePointer);
    const node = nodeAt(schema, path);
    if (error.keyword === 'additionalProperties') {
      for (const unknown of unknownFields(node, path, error, part)) add(unknown);
    } else if (error.keyword === 'required') {
      const names = (error.params as { requiredProperties: string[] }).requiredProperties;
      for (const name of names) {
        add({
          field: shownField([...path, name], part),
          expected: expectation(nodeAt(schema, [...path, name])),
        });
      }
    } else if (error.keyword !== 'boolean') {
      add({ field: shownField(path, part), expected: expectation(node) });
    }
  }
  return [...found.values()];
}

/** RFC 6901, section 4. */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Converts digits of a query string to numbers where the schema has an integer. Bodies are never converted. */
function numbersFromText(schema: TSchema, value: unknown): unknown {
  const properties = (schema as { properties?: Record<string, { type?: string }> }).properties ?? {};
  const converted: Record<string, unknown> = { ...(value as object) };
  for (const [name, node] of Object.entries(properties)) {
    const text = converted[name];
    if (node.type === 'integer' && typeof text === 'string' && /^\d{1,9}$/.test(text)) {
      converted[name] = Number(text);
    }
  }
  return converted;
}

const PART_NAMES: Record<string, string> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
};

/**
 * Compiles a route's schemas with typebox rather than ajv, to save memory. Errors become a problem that names fields and
 * what was expected, never what was found.
 */
export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (input: unknown) => {
    const value = httpPart === 'querystring' ? numbersFromText(schema, input) : input;
    if (validator.Check(value)) return { value };
    const [, errors] = validator.Errors(value);
    const part = PART_NAMES[httpPart ?? 'body'] ?? 'body';
    return { error: new ProblemError('bad_input', { errors: fieldErrors(schema, errors, part) }) };
  };
};
