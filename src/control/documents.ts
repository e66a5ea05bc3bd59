import { Type } from 'typebox';
import type { App } from './context.ts';
import { DOCS_CONTENT_POLICY, renderDocs } from './docs.ts';
import type { JsonObject } from './openapi.ts';
import { operation } from './operation.ts';

const tag = 'Description';

/** /openapi.json and /docs: made once, when all routes are known, and kept as bytes. */
export class DocumentsRoutes {
  #json = Buffer.alloc(0);
  #html = Buffer.alloc(0);

  constructor(app: App) {
    const json = operation('anyone', {
      operationId: 'getDescription',
      summary: 'This API as an OpenAPI document',
      tag,
      response: { 200: Type.Object({}, { description: 'OpenAPI 3.1' }) },
    });
    app.get('/openapi.json', json, async (_request, reply) =>
      reply.type('application/json').send(this.#json as unknown as object),
    );
    const html = operation('anyone', {
      operationId: 'getDocs',
      summary: 'This API for people',
      tag,
      response: {
        200: Type.Unsafe({ description: 'A page', content: { 'text/html': { schema: Type.String() } } }),
      },
    });
    app.get('/docs', html, async (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', DOCS_CONTENT_POLICY)
        .send(this.#html),
    );
  }

  publish(document: JsonObject): void {
    this.#json = Buffer.from(JSON.stringify(document));
    this.#html = Buffer.from(renderDocs(document));
  }
}
