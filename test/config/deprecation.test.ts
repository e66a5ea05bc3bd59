import { expect, it } from 'vitest';
import { LineCounter, parseDocument } from 'yaml';
import { Reader } from '../../src/config/read.ts';
import type { SchemaNode } from '../../src/config/schema.ts';
import { Substitutions } from '../../src/config/substitute.ts';

const SCHEMA: SchemaNode = {
  type: 'object',
  properties: {
    dns: {
      type: 'object',
      properties: {
        mode: { enum: ['refuse', 'drop'], default: 'refuse', deprecated: 'use dns.unregistered' },
        unregistered: { enum: ['refuse', 'drop'], default: 'refuse' },
      },
    },
  },
};

function read(text: string): { value: unknown; deprecations: string[]; problems: number } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const substitutions = new Substitutions({}, () => ({ problem: 'which is not there' }));
  const reader = new Reader('test.yaml', document, lines, substitutions);
  const value = reader.read(document.contents, SCHEMA, '');
  return { value, deprecations: reader.deprecations, problems: reader.problems.length };
}

it('a deprecated key works, and a warning says what to use instead', () => {
  expect(read('dns: { mode: drop }')).toEqual({
    value: { dns: { mode: 'drop', unregistered: 'refuse' } },
    deprecations: ['dns.mode: deprecated, and an error in the next release: use dns.unregistered'],
    problems: 0,
  });
});

it('a file without the key has no warning', () => {
  expect(read('dns: { unregistered: drop }').deprecations).toEqual([]);
});
