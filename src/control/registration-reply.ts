import type { FastifyReply } from 'fastify';
import type { RegisterOutcome, Registration } from '../registry/index.ts';

/**
 * Answers a registration: 201 with Location if it is new, 200 if it existed.
 *
 * @param collection path of the registrations; the id is appended
 */
export function sendRegistration(
  reply: Pick<FastifyReply, 'code' | 'header'>,
  { outcome, registration }: RegisterOutcome,
  collection: string,
): Registration {
  if (outcome === 'created') {
    reply.code(201);
    reply.header('location', `${collection}/${registration.id}`);
  } else {
    reply.code(200);
  }
  return registration;
}
