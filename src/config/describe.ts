import { FORMATS, formatSize } from './formats.ts';
import type { SchemaNode } from './schema.ts';

/** Describes the values that a node accepts, for `expected ...` in an error. */
export function describe(node: SchemaNode): string {
  if (node.anyOf) return node.anyOf.map(describeOption).join(' or ');
  if (node.const !== undefined) return node.const;
  if (node.enum) return `one of ${node.enum.join(', ')}`;
  switch (node.type) {
    case 'object':
      return 'a mapping';
    case 'array':
      return node.items!.type === 'object' ? 'a list of mappings' : `a list, each ${describe(node.items!)}`;
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'null';
    case 'integer':
      return describeInteger(node);
    default:
      return describeText(node);
  }
}

/** Names a mapping's keys, to tell it from the other options. */
function describeOption(node: SchemaNode): string {
  if (node.type !== 'object') return describe(node);
  return `a mapping with ${Object.keys(node.properties!).join(', ')}`;
}

function describeInteger({ format, minimum, maximum }: SchemaNode): string {
  if (format !== 'size') return `a whole number from ${minimum} to ${maximum}`;
  return `a size from ${formatSize(minimum!)} to ${formatSize(maximum!)}, such as 64MiB`;
}

function describeText({ format, type }: SchemaNode): string {
  const text = format === undefined || format === 'size' ? 'text' : FORMATS[format].expected;
  return Array.isArray(type) ? `${text}, or null` : text;
}
