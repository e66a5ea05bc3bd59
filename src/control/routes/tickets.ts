import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { callingAccount } from '../input.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { closed, EmptyBody, time } from '../shapes/common.ts';

const TicketShape = Type.Object(
  {
    ticket: Type.String({ description: 'A key for one `POST /v1/registrations`, within a minute' }),
    expiresAt: time('End of the ticket'),
  },
  { ...closed, title: 'Ticket' },
);

/** Creates tickets, which replace the session's cookie at the URLs of one address family. */
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
    const ticket = await context.registry.credentials.make('ticket', callingAccount(request).id);
    if (ticket === null) throw new ProblemError('not_found');
    reply.code(201);
    return { ticket: ticket.secret, expiresAt: ticket.expiresAt };
  });
}
