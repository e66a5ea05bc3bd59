import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { operation } from '../operation.ts';

/** Paths that are served for the self-test's names too. */
export const PROBE_PATHS: readonly string[] = ['/probe.svg'];

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>';

/** Serves the picture that the page's self-test loads. It loads only on a device that asked our edges for the name. */
export function probeRoutes(app: App, _context: Context): void {
  const route = operation('anyone', {
    operationId: 'getProbe',
    summary: "Load the self-test's picture",
    description:
      'Also served for `X.reached.TESTZONE`, `X.registered.TESTZONE` and `X.relayed.TESTZONE`, for any X.',
    tag: 'Page',
    response: {
      200: Type.Unsafe({ description: 'A picture', content: { 'image/svg+xml': { schema: Type.String() } } }),
    },
  });
  app.get('/probe.svg', route, async (_request, reply) => {
    reply.headers({ 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' });
    reply.type('image/svg+xml');
    return PICTURE;
  });
}
