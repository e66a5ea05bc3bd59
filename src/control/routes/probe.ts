import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { operation } from '../operation.ts';

/** What is answered for the self-test's names, and for ours. */
export const PROBE_PATHS: readonly string[] = ['/probe.svg'];

const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>';

/** The picture that the page's self-test loads: that it comes says that the device asked our edges for the name. */
export function probeRoutes(app: App, _context: Context): void {
  const route = operation('anyone', {
    operationId: 'getProbe',
    summary: "Load the self-test's picture",
    description:
      'Answered for `X.reached.TESTZONE` and `X.registered.TESTZONE` too, whatever X is; nothing of the call is looked at.',
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
