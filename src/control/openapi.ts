import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import type { App } from './context.ts';
import { SessionCookie } from './cookie.ts';
import { PROBLEMS } from './problem.ts';

const TAGS = [
  { name: 'My account', description: 'For an account, with its secret' },
  { name: 'My addresses', description: 'For an account, with its secret' },
  { name: 'Routers', description: 'Automatic address updates: host names, update tokens, dyndns2' },
  { name: 'Private names', description: 'Names that register the address that their queries come from' },
  { name: 'Page', description: 'For the DNS Settings page' },
  { name: 'Accounts', description: 'For the operator, with the admin key' },
  { name: 'Addresses of an account', description: 'For the operator, with the admin key' },
  { name: 'Description', description: 'For everyone' },
] as const;

const INTRODUCTION = `JSON over HTTP. Give the key as \`Authorization: Bearer KEY\`: the admin key, or an account's secret.
Times are ISO 8601 in UTC. Bodies are \`application/json\`; unknown fields and parameters are errors. A failure is an
\`application/problem+json\` document (RFC 9457) with a stable \`code\`. A call that got 503 or no answer is safe to
repeat: POST with an \`Idempotency-Key\`. A 2xx means that the change is on disk and effective from the next query.
An account may make 300 changes a minute; their replies say how many are left (\`RateLimit\`, \`RateLimit-Policy\`).`;

interface OpenApiOptions {
  version: string;
  publicUrl: string;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

type Paths = Record<string, Record<string, DescribedOperation>>;
interface DescribedOperation {
  requestBody?: { required: boolean; content: { 'application/json': { schema: { required?: string[] } } } };
  responses: Record<string, { description: string }>;
}

/** Describes the routes that are added from here on. */
export async function collectRoutes(app: App, options: OpenApiOptions): Promise<void> {
  await app.register(swagger, {
    convertConstToEnum: false,
    openapi: {
      openapi: '3.1.0',
      info: { title: 'MediaStreamer control API', version: options.version, description: INTRODUCTION },
      servers: [{ url: options.publicUrl }],
      tags: [...TAGS],
      components: {
        securitySchemes: {
          adminKey: { type: 'http', scheme: 'bearer', description: 'The admin key' },
          accountSecret: { type: 'http', scheme: 'bearer', description: "An account's secret" },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: new SessionCookie(options.publicUrl).name,
            description: 'The cookie of the DNS Settings page; valid from pages of the same origin only',
          },
          edgeKey: { type: 'http', scheme: 'bearer', description: 'The key of edges (privateNames.edgeKey)' },
          ticket: { type: 'http', scheme: 'bearer', description: 'A ticket, which works once' },
          updateToken: {
            type: 'http',
            scheme: 'basic',
            description: "The account's id, and an update token as the password",
          },
        },
      },
    },
  });
}

/** Returns the OpenAPI document of the collected routes, once the app is ready. */
export function describeRoutes(app: App): JsonObject {
  // Copied because the plugin's own document has undefined members and shared nodes.
  const document = JSON.parse(JSON.stringify(app.swagger())) as JsonObject;
  fixOperations(document['paths'] as unknown as Paths);
  const shared: JsonObject = {};
  document['paths'] = shareSchemas(document['paths']!, shared);
  const components = document['components'] as JsonObject;
  components['schemas'] = shared;
  nameProblemCodes(shared['Problem'] as JsonObject);
  return document;
}

/** Corrects the plugin's defaults for bodies and replies. */
function fixOperations(paths: Paths): void {
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    const body = operation.requestBody;
    // A body without required fields is optional.
    if (body !== undefined) body.required = body.content['application/json'].schema.required !== undefined;
    for (const [status, reply] of Object.entries(operation.responses)) {
      if (reply.description === 'Default Response') reply.description = STATUS_CODES[status]!;
    }
  }
}

/** Moves every schema that has a title to the shared components and leaves a reference. */
function shareSchemas(node: Json, shared: JsonObject): Json {
  if (Array.isArray(node)) return node.map((item) => shareSchemas(item, shared));
  if (node === null || typeof node !== 'object') return node;
  const copy: JsonObject = {};
  for (const [name, value] of Object.entries(node)) {
    // `expected` is the wording of an error; a reply's `headers` stand beside its schema.
    if (name !== 'expected') copy[name] = shareSchemas(value, shared);
  }
  const { title } = copy;
  if (typeof title !== 'string' || copy['type'] !== 'object') return copy;
  const { description, headers: _headers, ...schema } = copy;
  shared[title] ??= title in DESCRIBED ? { ...schema, description: description! } : schema;
  return { $ref: `#/components/schemas/${title}` };
}

/** Shared schemas that keep their description; for others it is the description of a reply. */
const DESCRIBED: Readonly<Record<string, true>> = { Problem: true, AccountExport: true };

function nameProblemCodes(problem: JsonObject): void {
  const code = (problem['properties'] as JsonObject)['code'] as JsonObject;
  code['enum'] = Object.keys(PROBLEMS);
}
