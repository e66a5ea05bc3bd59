import swaggerUi from '@fastify/swagger-ui';
import { Type } from 'typebox';
import type { App } from './context.ts';
import { describeRoutes, type JsonObject } from './openapi.ts';
import { operation } from './operation.ts';

/** Swagger UI runs from our own origin and loads nothing from elsewhere. */
const DOCS_CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Adds /openapi.json and /docs. The document is built at the first request, so that an idle process does not hold it. */
export async function documentsRoutes(app: App): Promise<void> {
  let document: JsonObject | undefined;
  const description = () => {
    document ??= describeRoutes(app);
    return document;
  };
  const route = operation('anyone', {
    operationId: 'getDescription',
    summary: 'This API as an OpenAPI document; for people at /docs',
    tag: 'Description',
    response: { 200: Type.Object({}, { description: 'OpenAPI 3.1' }) },
  });
  app.get('/openapi.json', route, async () => description());
  await app.register(async (docs) => {
    docs.addHook('onRoute', (options) => {
      options.config = { ...options.config, access: 'anyone' };
    });
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: DOCS_CONTENT_POLICY,
      theme: { title: 'MediaStreamer control API' },
      // Read-only: calls made from this page would carry the session's cookie.
      uiConfig: { layout: 'BaseLayout', supportedSubmitMethods: [] },
      transformSpecification: description,
      transformSpecificationClone: false,
    });
  });
}
