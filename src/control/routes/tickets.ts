import type { App, Context } from '../context.ts';
import { callingAccount } from '../input.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { EmptyBody, TicketShape } from '../schemas.ts';

/** Tickets take the place of the session where its cookie does not go: the same API by one address family. */
export function ticketsRoutes(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'createTicket',
    summary: 'Get a ticket to register this network by its other address family',
    description:
      'Give it as `Authorization: Bearer TICKET` to `POST /v1/registrations` at one of `familyUrls`. It registers one ' +
      'address, once, within a minute, and can do nothing else.',
    tag: 'Page',
    body: EmptyBody,
    response: { 201: TicketShape },
    problems: ['not_found'],
  });
  app.post('/v1/tickets', route, async (request, reply) => {
    const made = await context.registry.passes.make('ticket', callingAccount(request).id);
    if (made === null) throw new ProblemError('not_found');
    reply.code(201);
    return { ticket: made.secret, expiresAt: made.expiresAt };
  });
}
