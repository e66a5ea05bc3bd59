import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { noContent, operation } from '../operation.ts';
import { requireSameOrigin } from '../origin.ts';
import { badField, ProblemError } from '../problem.ts';
import { closed } from '../shapes/common.ts';

const tag = 'Page';
const withCookie = { 'Set-Cookie': { type: 'string' } };

const Key = Type.String({ minLength: 1, maxLength: 256, expected: 'text of 1 to 256 characters' });

/** Takes one of the two; the handler checks it. */
const SignInBody = Type.Object(
  {
    secret: Type.Optional({ ...Key, description: "The account's secret" }),
    link: Type.Optional({ ...Key, description: 'The part of a sign-in link behind the #' }),
  },
  closed,
);

/** Signs people in to the page and out. */
export function sessionRoutes(app: App, context: Context): void {
  addSignIn(app, context);
  addSignOut(app, context);
}

function addSignIn(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'signIn',
    summary: 'Sign in to the page',
    description:
      'By the secret, or by a sign-in link, which works once. Each sign-in starts a new session of 30 days from its last ' +
      'use and ends the session that the call came with.',
    tag,
    body: SignInBody,
    response: { 204: { ...noContent('Signed in'), headers: withCookie } },
    problems: ['unauthorized', 'too_many_attempts', 'too_many_changes', 'store_unavailable'],
  });
  app.post('/v1/session', route, async (request, reply) => {
    const { secret, link } = request.body;
    if ((secret === undefined) === (link === undefined)) {
      throw badField('secret', 'the secret or a link, one of the two');
    }
    // Login CSRF: no other site's page may sign a person in to an account of its choice.
    if (request.headers['sec-fetch-site'] !== undefined) requireSameOrigin(request.raw);
    const given = secret !== undefined ? { secret } : { link: link! };
    const { id } = await context.keys.signIn(given, request.raw);
    reply.headers(context.changeLimit.count(id));
    const session = await context.registry.credentials.make('session', id);
    if (session === null) throw new ProblemError('unauthorized');
    const { secret: before, isAmbiguous } = context.cookie.read(request.raw);
    if (before !== null) await context.registry.credentials.endSession(before);
    const cookie = context.cookie.set(session.secret);
    reply.header('set-cookie', isAmbiguous ? [...context.cookie.clearAll(request.raw), cookie] : cookie);
    return reply.code(204).send(null);
  });
}

function addSignOut(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'signOut',
    summary: 'Sign out of the page',
    tag,
    response: { 204: { ...noContent('Signed out'), headers: withCookie } },
    problems: ['store_unavailable'],
  });
  app.delete('/v1/session', route, async (request, reply) => {
    const { secrets, isAmbiguous } = context.cookie.read(request.raw);
    if (secrets.length > 0) requireSameOrigin(request.raw);
    for (const secret of secrets) await context.registry.credentials.endSession(secret);
    reply.header('set-cookie', isAmbiguous ? context.cookie.clearAll(request.raw) : context.cookie.clear());
    return reply.code(204).send(null);
  });
}
