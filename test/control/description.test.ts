import fc from 'fast-check';
import { Check } from 'typebox/schema';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_KEY, ControlBench } from '../support/control.ts';
import { type DiskRegistry, openDiskRegistry } from '../support/disk-registry.ts';

interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; schema: object }[];
  requestBody?: { content: Record<string, { schema: { properties?: Record<string, object> } }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>;
}
interface Description {
  openapi: string;
  info: { version: string };
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
interface Call {
  method: Method;
  path: string;
  operation: Operation;
}

/** Paths that anyone may call. */
const OPEN = [
  '/',
  '/nic/checkip',
  '/openapi.json',
  '/page/messages/{file}',
  '/page/{file}',
  '/probe.svg',
  '/sign-in',
  '/v1/ip',
  '/v1/session',
];

let disk: DiskRegistry;
let bench: ControlBench;
let description: Description;
let calls: Call[];
beforeEach(async () => {
  bench = await ControlBench.make({ registry: disk.registry, changes: { changes: 1e6 } }, disk.clock);
});
afterAll(() => disk.close());
beforeAll(async () => {
  disk = await openDiskRegistry();
  description = (await (await ControlBench.make()).call('GET', '/openapi.json')).json();
  calls = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase() as Method,
      operation,
    })),
  );
});

/** Checks a reply against its schema in the description. */
function checkReply(
  { path, method, operation }: Call,
  reply: { statusCode: number; body: string; headers: object },
) {
  const described = operation.responses[reply.statusCode];
  const name = `${method} ${path} ${reply.statusCode} ${reply.body}`;
  expect(described, name).toBeDefined();
  if (described!.content === undefined) {
    expect(reply.body, name).toBe('');
    return;
  }
  const [type, { schema }] = Object.entries(described!.content)[0]!;
  expect((reply.headers as { 'content-type': string })['content-type'], name).toContain(
    type.replace('*/*', '/'),
  );
  if (!type.includes('json')) return;
  const inlined = JSON.parse(JSON.stringify(schema), (_key, value) => inline(value));
  expect(Check(inlined, JSON.parse(reply.body)), name).toBe(true);
}

function inline(value: { $ref?: string } | null): unknown {
  if (typeof value?.$ref !== 'string') return value;
  const shared = description.components.schemas[value.$ref.replace('#/components/schemas/', '')];
  return JSON.parse(JSON.stringify(shared), (_key, inner) => inline(inner));
}

describe('/openapi.json', () => {
  test('describes every call of the contract', () => {
    expect(description.openapi).toBe('3.1.0');
    expect(description.info.version).toBe('1.2.3');
    expect(calls.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'DELETE /v1/account',
      'DELETE /v1/accounts/{id}',
      'DELETE /v1/accounts/{id}/registrations/{rid}',
      'DELETE /v1/hostnames/{id}',
      'DELETE /v1/private-names/{id}',
      'DELETE /v1/registrations/{id}',
      'DELETE /v1/session',
      'DELETE /v1/update-tokens/{id}',
      'GET /',
      'GET /nic/checkip',
      'GET /nic/update',
      'GET /openapi.json',
      'GET /page/messages/{file}',
      'GET /page/{file}',
      'GET /probe.svg',
      'GET /sign-in',
      'GET /v1/account',
      'GET /v1/account/export',
      'GET /v1/accounts',
      'GET /v1/accounts/{id}',
      'GET /v1/accounts/{id}/registrations',
      'GET /v1/hostnames',
      'GET /v1/ip',
      'GET /v1/lapsing-accounts',
      'GET /v1/page',
      'GET /v1/private-names',
      'GET /v1/registrations',
      'GET /v1/update-tokens',
      'PATCH /v1/account',
      'PATCH /v1/accounts/{id}',
      'PATCH /v1/private-names/{id}',
      'PATCH /v1/registrations/{id}',
      'POST /v1/accounts',
      'POST /v1/accounts/{id}/registrations',
      'POST /v1/accounts/{id}/secret',
      'POST /v1/accounts/{id}/sign-in-links',
      'POST /v1/hostnames',
      'POST /v1/private-names',
      'POST /v1/private-names/claims',
      'POST /v1/private-names/{id}/token',
      'POST /v1/registrations',
      'POST /v1/session',
      'POST /v1/tickets',
      'POST /v1/update-tokens',
    ]);
  });

  test('states the access, the replies and the tag of every call', () => {
    const ids = calls.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(calls.length);
    for (const { path, operation } of calls) {
      expect(operation.summary).not.toBe('');
      expect(description.tags.map(({ name }) => name)).toContain(operation.tags[0]);
      const isOpen = OPEN.includes(path);
      expect(operation.security.length === 0, path).toBe(isOpen);
      expect('401' in operation.responses, path).toBe(!isOpen || operation.operationId === 'signIn');
      expect(Object.keys(operation.responses).some((status) => status.startsWith('2'))).toBe(true);
    }
  });

  test('has every component that it refers to', () => {
    for (const [, name] of JSON.stringify(description).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
      expect(Object.keys(description.components.schemas)).toContain(name);
    }
  });

  test('each call answers as described to a wrong key and for an unknown id', async () => {
    for (const call of calls) {
      const url = call.path.replaceAll(/\{\w+\}/g, 'nobody');
      checkReply(call, await bench.call(call.method, url, { key: 'wrong' }));
      checkReply(call, await bench.call(call.method, url, { key: ADMIN_KEY }));
    }
  });
});

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    'us',
    'gb',
    'off',
    'oldest',
    '198.51.99.7',
    '2a00::1',
    '203.0.114.1',
    '1.2.3.4/32',
    '__proto__',
  ),
);
const anything = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.object({ maxDepth: 2 }),
);

function bodyOf({ operation }: Call): fc.Arbitrary<unknown> {
  const schema = operation.requestBody?.content['application/json']?.schema;
  if (schema === undefined) return fc.constant(undefined);
  const fields = Object.fromEntries(
    Object.keys(schema.properties ?? {}).map((name) => [name, fieldValue(name)]),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.record(fields, { requiredKeys: [] }) },
    { weight: 1, arbitrary: fc.record({ ...fields, extra: anything }, { requiredKeys: [] }) },
    { weight: 1, arbitrary: anything },
  );
}

function fieldValue(name: string): fc.Arbitrary<unknown> {
  if (name !== 'services') return fc.oneof(text, anything, fc.integer({ min: 1, max: 5 }));
  const service = fc.oneof(fc.constantFrom('netflix', 'hulu', 'constructor', '__proto__'), text);
  return fc.oneof(fc.dictionary(service, fc.oneof(text, anything), { maxKeys: 3 }), anything);
}

describe('described calls', () => {
  test('never answer 5xx, whatever the input, and answer as described', async () => {
    const { id, secret } = await bench.account({ perAccount: 1000 });
    const rid = (await bench.call('POST', '/v1/registrations', { key: secret })).json().id;
    const fuzzed = calls.filter(({ operation }) => !operation.operationId.startsWith('delete'));
    const input = fc.constantFrom(...fuzzed).chain((call) =>
      fc.record({
        call: fc.constant(call),
        id: fc.oneof({ weight: 3, arbitrary: fc.constant(id) }, { weight: 1, arbitrary: text }),
        rid: fc.oneof(fc.constant(rid), text),
        query: fc.oneof(
          fc.constant({}),
          fc.dictionary(fc.constantFrom('limit', 'after', 'x'), text, { maxKeys: 2 }),
        ),
        body: bodyOf(call),
        idempotencyKey: fc.oneof(fc.constant(undefined), fc.string({ maxLength: 20 })),
      }),
    );
    await fc.assert(
      fc.asyncProperty(input, async (given) => {
        const { call } = given;
        const isAdmin = call.operation.security.some((scheme) => 'adminKey' in scheme);
        const ids = call.path.startsWith('/v1/registrations')
          ? { id: given.rid, file: given.rid }
          : { id: given.id, rid: given.rid, file: given.rid };
        const path = call.path.replaceAll(/\{(\w+)\}/g, (_all, name: 'id') => encode(ids[name]));
        const reply = await bench.call(call.method, `${path}?${new URLSearchParams(given.query)}`, {
          key: isAdmin ? ADMIN_KEY : secret,
          headers: {
            ...(given.idempotencyKey === undefined ? {} : { 'idempotency-key': given.idempotencyKey }),
            ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) as unknown as object }),
        });
        expect(reply.statusCode).toBeLessThan(500);
        // An empty id makes a different path.
        if (!path.includes('//') && !path.endsWith('/')) checkReply(call, reply);
        if (call.operation.operationId === 'removeRegistration' && reply.statusCode === 204) {
          await bench.call('POST', '/v1/registrations', { key: secret });
        }
      }),
      { numRuns: 400 },
    );
  });
});

/** Encodes a path segment; lone surrogates are replaced because UTF-8 has none. */
function encode(segment: string): string {
  return encodeURIComponent(segment.toWellFormed());
}

describe('/docs', () => {
  const POLICY =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  test.each([
    ['/docs', 'text/html; charset=utf-8'],
    ['/docs/', 'text/html; charset=utf-8'],
    ['/docs/static/swagger-initializer.js', 'javascript'],
    ['/docs/static/swagger-ui-bundle.js', 'javascript'],
    ['/docs/static/swagger-ui.css', 'text/css'],
  ])('serves %s under a policy that allows our own origin only', async (url, type) => {
    const reply = await bench.call('GET', url);
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toContain(type);
    expect(reply.headers['content-security-policy']).toBe(POLICY);
    expect(reply.headers['x-content-type-options']).toBe('nosniff');
  });

  test('has no inline script and loads nothing from elsewhere', async () => {
    const { body } = await bench.call('GET', '/docs');
    expect(body).not.toMatch(/<script(?![^>]*\ssrc="\/docs\/)|https?:|style="|onclick/);
  });

  test('shows the same document as /openapi.json, read-only', async () => {
    expect((await bench.call('GET', '/docs/json')).json()).toEqual(description);
    const { body } = await bench.call('GET', '/docs/static/swagger-initializer.js');
    expect(body).toContain('"supportedSubmitMethods":[]');
  });

  test.each(['/docs/static/../package.json', '/docs/static/%2e%2e/package.json', '/docs/static/nothing'])(
    'does not serve %s',
    async (url) => {
      expect((await bench.call('GET', url)).statusCode).toBe(404);
    },
  );
});
