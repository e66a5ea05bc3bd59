import type { FastifyReply } from 'fastify';
import type { RegisterOutcome, Registration } from '../registry/index.ts';

/**
 * Makes the reply to a registration: 201 with its place if it is new, 200 if it was there.
 *
 * @param collection the path that the registration's id is put under
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
