import type { App, Context } from '../context.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { AccountParams, EmptyBody, SignInLinkShape } from '../schemas.ts';

/** The operator's call that signs a person in to the page from the operator's own site. */
export function signInLinksRoutes(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'createSignInLink',
    summary: 'Make a link that signs a person in to the page',
    description:
      'Once, within 5 minutes. The token stands behind the #, which no server is sent and no Referer holds; the page ' +
      'behind the link has one button, so that a mail scanner that opens it uses nothing up.',
    tag: 'Accounts',
    params: AccountParams,
    body: EmptyBody,
    response: { 201: SignInLinkShape },
    problems: ['not_found'],
  });
  const page = new URL('/sign-in', context.publicUrl).href;
  app.post('/v1/accounts/:id/sign-in-links', route, async (request, reply) => {
    const link = await context.registry.passes.make('link', request.params.id);
    if (link === null) throw new ProblemError('not_found');
    reply.code(201);
    return { url: `${page}#${link.secret}`, expiresAt: link.expiresAt };
  });
}
