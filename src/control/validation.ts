import type { FastifySchemaCompiler } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/schema';
import { type FieldFault, ProblemError } from './problem.ts';

interface SchemaFault {
  keyword: string;
  instancePath: string;
  params: object;
}

/** Faults named in one reply; a caller mends a few at a time. */
const MAX_FAULTS = 10;

/**
 * A name that the caller made up is repeated only if it looks like a field's: it could be an address or a secret
 * that was put in the wrong place.
 */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,23}$/;

/** The schema's node that a JSON pointer into the value leads to. */
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

/** What a schema's node expects, in words: its own `expected`, or what can be read off it. */
function expectation(node: Record<string, unknown>): string {
  if (typeof node['expected'] === 'string') return node['expected'];
  if (node['const'] !== undefined) return JSON.stringify(node['const']);
  const { type, minimum, maximum } = node;
  if (type === 'integer' && minimum !== undefined) return `a whole number from ${minimum} to ${maximum}`;
  if (typeof type === 'string') return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
  return 'a value as described in /openapi.json';
}

/** The dotted name of a field, as far as it may be repeated; `part` if none of it may. */
export function shownField(path: readonly string[], part: string): string {
  const shown = path.every((name) => FIELD_NAME.test(name)) ? path.join('.') : (path[0] ?? '');
  return shown === '' || !FIELD_NAME.test(path[0]!) ? part : shown;
}

function unknownFields(
  node: Record<string, unknown>,
  path: readonly string[],
  fault: SchemaFault,
  part: string,
) {
  const known = Object.keys((node['properties'] as object | undefined) ?? {}).join(', ');
  const names = (fault.params as { additionalProperties?: string[] }).additionalProperties ?? [];
  return names.map((name) => ({
    field: shownField([...path, name], part),
    expected: known === '' ? 'no such field' : `no such field; there are: ${known}`,
  }));
}

function fieldFaults(schema: TSchema, faults: readonly SchemaFault[], part: string): FieldFault[] {
  const found = new Map<string, FieldFault>();
  const add = (fault: FieldFault) => {
    if (!found.has(fault.field) && found.size < MAX_FAULTS) found.set(fault.field, fault);
  };
  for (const fault of faults) {
    const path = fault.instancePath.split('/').slice(1).map(unescapePointer);
    const node = nodeAt(schema, path);
    if (fault.keyword === 'additionalProperties') {
      for (const unknown of unknownFields(node, path, fault, part)) add(unknown);
    } else if (fault.keyword === 'required') {
      const names = (fault.params as { requiredProperties: string[] }).requiredProperties;
      for (const name of names) {
        add({
          field: shownField([...path, name], part),
          expected: expectation(nodeAt(schema, [...path, name])),
        });
      }
    } else if (fault.keyword !== 'boolean') {
      add({ field: shownField(path, part), expected: expectation(node) });
    }
  }
  return [...found.values()];
}

/** RFC 6901, section 4. */
function unescapePointer(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Query strings have no numbers: digits become one where the schema wants one. Bodies are never converted. */
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
 * Compiles a route's schemas by typebox, which config/ loads anyway, so that ajv stays out of memory. A fault
 * becomes a Problem that names fields and what was expected, and never what was found.
 */
export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  return (input: unknown) => {
    const value = httpPart === 'querystring' ? numbersFromText(schema, input) : input;
    if (validator.Check(value)) return { value };
    const [, faults] = validator.Errors(value);
    const part = PART_NAMES[httpPart ?? 'body'] ?? 'body';
    return { error: new ProblemError('bad_input', { errors: fieldFaults(schema, faults, part) }) };
  };
};
