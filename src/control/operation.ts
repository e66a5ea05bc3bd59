import { STATUS_CODES } from 'node:http';
import type { FastifySchema } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { Access } from './keys.ts';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from './problem.ts';
import { NoQuery } from './shapes/common.ts';
import { ProblemShape } from './shapes/problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The callers that are admitted. Building the app fails for a route without it. */
    access?: Access;
    /** Pages of publicUrl may call it at the URLs of one address family (CORS). */
    crossOrigin?: boolean;
  }
}

/** Declaration of an operation, without the replies that all operations have. */
interface OperationShape {
  operationId: string;
  summary: string;
  description?: string;
  tag: string;
  params?: TSchema;
  querystring?: TSchema;
  headers?: TSchema;
  body?: TSchema;
  response: Record<number, TSchema>;
  /** Problems besides those that follow from the access and the input. */
  problems?: readonly ProblemCode[];
  crossOrigin?: boolean;
  /** Security scheme in the description, if it is not the usual one of the access. */
  security?: readonly Record<string, string[]>[];
}

const SECURITY: Record<Access, readonly Record<string, string[]>[]> = {
  anyone: [],
  admin: [{ adminKey: [] }],
  account: [{ accountSecret: [] }, { session: [] }],
  either: [{ adminKey: [] }, { accountSecret: [] }, { session: [] }],
  edge: [{ edgeKey: [] }],
  ticket: [{ accountSecret: [] }, { session: [] }, { ticket: [] }],
};

function problemCodes(access: Access, shape: OperationShape): Set<ProblemCode> {
  const codes = new Set<ProblemCode>(['bad_input', 'foreign_origin', 'foreign_host', 'internal']);
  if (shape.params !== undefined) codes.add('bad_request').add('uri_too_long');
  if (shape.body !== undefined) codes.add('bad_json').add('body_too_large').add('unsupported_media_type');
  if (access !== 'anyone') {
    codes.add('unauthorized').add('forbidden').add('too_many_attempts').add('store_unavailable');
  }
  const isWrite = shape.body !== undefined || 204 in shape.response;
  if (isWrite && access !== 'anyone' && access !== 'admin' && access !== 'edge')
    codes.add('too_many_changes');
  for (const code of shape.problems ?? []) codes.add(code);
  if (codes.has('store_unavailable')) codes.add('store_lost_data');
  return codes;
}

function problemReplies(codes: ReadonlySet<ProblemCode>): Record<number, object> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      {
        description: `${STATUS_CODES[status]}: ${names.map((name) => `\`${name}\``).join(', ')}`,
        content: { [PROBLEM_TYPE]: { schema: ProblemShape } },
        ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
        ...(status === 401 ? { headers: CHALLENGE } : {}),
      },
    ]),
  );
}

const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds' } };
const CHALLENGE = { 'WWW-Authenticate': { type: 'string', description: 'Bearer' } };

/**
 * Builds a route's options from its declaration: checked schemas, access, and every reply for /openapi.json. A route
 * that declares no query parameters rejects them.
 */
export function operation<const Shape extends OperationShape>(access: Access, shape: Shape) {
  const { tag, problems: _problems, crossOrigin = false, security, ...schema } = shape;
  return {
    config: { access, crossOrigin },
    schema: {
      querystring: NoQuery,
      ...schema,
      response: { ...shape.response, ...problemReplies(problemCodes(access, shape)) },
      tags: [tag],
      security: security ?? SECURITY[access],
    } as unknown as Omit<Shape, 'tag' | 'problems' | 'crossOrigin' | 'security'> & FastifySchema,
  };
}

/** Declares a reply without a body. */
export const noContent = (description: string) => Type.Null({ description });
