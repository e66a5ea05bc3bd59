// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are the configuration's, not JavaScript's
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { CONFIG_SCHEMA, type SchemaNode } from '../../src/config/schema.ts';
import { linesOf, REGIONS } from './builders.ts';

function pathsOf(schema: SchemaNode, path: string[] = []): string[][] {
  const here = path.length > 0 ? [path] : [];
  const members = Object.entries(schema.properties ?? {});
  return [...here, ...members.flatMap(([key, member]) => pathsOf(member, [...path, key]))];
}

const PATHS = pathsOf(CONFIG_SCHEMA);
const LINE = /^test\.yaml(?::\d+)?: .*found .+, expected .+$/;

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom(
    '~',
    'null',
    '.nan',
    '-.inf',
    '0x1F',
    '1e999',
    '!!set {}',
    '*x',
    '&a x',
    '<<',
    '__proto__',
    '${',
    '${A}',
    '${A:-}',
    '|',
    '>-',
    '""',
    '!x y',
    '2001-01-01',
  ),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.jsonValue().map((value) => JSON.stringify(value)),
);

describe('any YAML', () => {
  it('as any value gives one-line errors or a configuration', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PATHS), scalar, (path, value) => {
        const yaml = path.reduceRight((inner, key) => `{ ${key}: ${inner} }`, value);
        for (const line of linesOf(
          path[0] === 'regions' ? yaml.slice(2, -2) : `${REGIONS}\n${yaml.slice(2, -2)}\n`,
        )) {
          expect(line).toMatch(LINE);
          expect(line.split(/[\n\r\u2028\u2029]/)).toHaveLength(1);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('as the whole file gives one-line errors', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.jsonValue().map((value) => stringify(value)),
        ),
        (text) => {
          for (const line of linesOf(text)) expect(line).toMatch(LINE);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('as bytes gives one-line errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const line of linesOf(bytes)) expect(line).toMatch(LINE);
      }),
      { numRuns: 200 },
    );
  });

  it('that contains itself terminates', () => {
    expect(linesOf('&a { regions: *a, dns: *a, roles: &b [*b] }').length).toBeGreaterThan(0);
  });
});
