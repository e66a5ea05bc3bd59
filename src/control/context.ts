import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Keys, Principal } from './keys.ts';
import type { ControlOptions } from './options.ts';

/** The Fastify instance that routes are added to. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What routes work with. */
export interface Context extends ControlOptions {
  keys: Keys;
  /** Writes a fault that the caller is answered for otherwise to the log. */
  noteFault(error: unknown, method: string, route: string): void;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null where anyone may. */
    principal: Principal | null;
  }
}
