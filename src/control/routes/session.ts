import type { App, Context } from '../context.ts';
import { endedCookie, sessionCookie, sessionOf } from '../cookie.ts';
import { noContent, operation } from '../operation.ts';
import { requireSameOrigin } from '../origin.ts';
import { badField, ProblemError } from '../problem.ts';
import { SessionBody } from '../schemas.ts';

const tag = 'Page';
const withCookie = { 'Set-Cookie': { type: 'string' } };

/** Signing in to the page and out. */
export function sessionRoutes(app: App, context: Context): void {
  addSignIn(app, context);
  addSignOut(app, context);
}

function addSignIn(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'signIn',
    summary: 'Sign in to the page',
    description:
      'By the secret, or by what stands behind the # of a sign-in link, which is used up. The session is a new one each ' +
      'time and lasts 30 days from its last use; one that the call brought along ends.',
    tag,
    body: SessionBody,
    response: { 204: { ...noContent('Signed in'), headers: withCookie } },
    problems: ['unauthorized', 'too_many_attempts', 'store_unavailable'],
  });
  app.post('/v1/session', route, async (request, reply) => {
    const { secret, link } = request.body;
    if ((secret === undefined) === (link === undefined)) {
      throw badField('secret', 'the secret or a link, one of the two');
    }
    // Nobody's page may sign a person in to an account that is not theirs.
    if (request.headers['sec-fetch-site'] !== undefined) requireSameOrigin(request.raw);
    const given = secret !== undefined ? { secret } : { link: link! };
    const { id } = await context.keys.signIn(given, request.raw);
    const session = await context.registry.passes.make('session', id);
    if (session === null) throw new ProblemError('unauthorized');
    const before = sessionOf(request.raw);
    if (before !== null) await context.registry.passes.endSession(before);
    reply.header('set-cookie', sessionCookie(session.secret, isSecure(context)));
    return reply.code(204).send(null);
  });
}

function addSignOut(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'signOut',
    summary: 'Sign out of the page',
    tag,
    response: { 204: { ...noContent('Signed out, or was so already'), headers: withCookie } },
    problems: ['store_unavailable'],
  });
  app.delete('/v1/session', route, async (request, reply) => {
    const session = sessionOf(request.raw);
    if (session !== null) {
      requireSameOrigin(request.raw);
      await context.registry.passes.endSession(session);
    }
    reply.header('set-cookie', endedCookie(isSecure(context)));
    return reply.code(204).send(null);
  });
}

function isSecure({ publicUrl }: Context): boolean {
  return publicUrl.startsWith('https:');
}
