import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { App, Context } from './context.ts';
import { ProblemError } from './problem.ts';

const MAX_AGE_SECONDS = 600;

/** Lets a page of publicUrl read a reply of another origin (Fetch, section 3.2), without cookies. */
export function addCors({ headers }: IncomingMessage, reply: FastifyReply, publicUrl: string): void {
  reply.header('vary', 'Origin');
  const { origin } = new URL(publicUrl);
  if (headers.origin?.toLowerCase() === origin) reply.header('access-control-allow-origin', origin);
}

/** Answers a browser's preflight for a call of `method` on another origin. */
export function addPreflight(app: App, url: string, method: string, { publicUrl }: Context): void {
  app.options(
    url,
    { config: { access: 'anyone', crossOrigin: true }, schema: { hide: true } as object },
    async ({ raw }, reply) => {
      if (raw.headers.origin?.toLowerCase() !== new URL(publicUrl).origin) {
        throw new ProblemError('method_not_allowed', { headers: { allow: method } });
      }
      reply.headers({
        'access-control-allow-methods': method,
        'access-control-allow-headers': 'authorization, content-type',
        'access-control-max-age': MAX_AGE_SECONDS,
      });
      return reply.code(204).send(null);
    },
  );
}
