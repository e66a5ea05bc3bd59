import { Type } from 'typebox';
import type { App } from './context.ts';
import { DOCS_CONTENT_POLICY, renderDocs } from './docs.ts';
import { describeRoutes, type JsonObject } from './openapi.ts';
import { operation } from './operation.ts';

const tag = 'Description';

/** /openapi.json and /docs: made when they are first asked for, so that an idle process does not hold them. */
export function documentsRoutes(app: App): void {
  let document: JsonObject | undefined;
  const description = () => {
    document ??= describeRoutes(app);
    return document;
  };
  addJson(app, description);
  addHtml(app, description);
}

function addJson(app: App, description: () => JsonObject): void {
  const route = operation('anyone', {
    operationId: 'getDescription',
    summary: 'This API as an OpenAPI document',
    tag,
    response: { 200: Type.Object({}, { description: 'OpenAPI 3.1' }) },
  });
  app.get('/openapi.json', route, async () => description());
}

function addHtml(app: App, description: () => JsonObject): void {
  let page: string | undefined;
  const route = operation('anyone', {
    operationId: 'getDocs',
    summary: 'This API for people',
    tag,
    response: {
      200: Type.Unsafe({ description: 'A page', content: { 'text/html': { schema: Type.String() } } }),
    },
  });
  app.get('/docs', route, async (_request, reply) => {
    page ??= renderDocs(description());
    reply.type('text/html; charset=utf-8').header('content-security-policy', DOCS_CONTENT_POLICY);
    return page;
  });
}
