import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { AccountParams } from '../shapes/account.ts';
import { closed, EmptyBody, time } from '../shapes/common.ts';
import { signInUrl } from '../sign-in-url.ts';

export const SignInLinkShape = Type.Object(
  {
    url: Type.String({
      format: 'uri',
      description: 'Send this to the person. Opening it does not use it up: the button on that page does.',
    }),
    expiresAt: time('End of the link'),
  },
  { ...closed, title: 'SignInLink' },
);

/** Creates links by which the operator's own site signs people in to the page. */
export function signInLinksRoutes(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'createSignInLink',
    summary: 'Create a link that signs a person in to the page',
    description:
      'It works once, within 5 minutes. The token stands behind the #, so it is neither sent to a server nor put in a ' +
      'Referer. The page has one button: a mail scanner that opens the link does not use it up.',
    tag: 'Accounts',
    params: AccountParams,
    body: EmptyBody,
    response: { 201: SignInLinkShape },
    problems: ['not_found'],
  });
  app.post('/v1/accounts/:id/sign-in-links', route, async (request, reply) => {
    const link = await context.registry.credentials.make('link', request.params.id);
    if (link === null) throw new ProblemError('not_found');
    reply.code(201);
    return { url: signInUrl(context.publicUrl, link.secret), expiresAt: link.expiresAt };
  });
}
