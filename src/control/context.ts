import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ChangeLimit } from './change-limit.ts';
import type { SessionCookie } from './cookie.ts';
import type { ErrorLog } from './error-log.ts';
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

/** Dependencies of the routes. */
export interface Context extends ControlOptions {
  keys: Keys;
  changeLimit: ChangeLimit;
  cookie: SessionCookie;
  errorLog: ErrorLog;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The authenticated caller; null on routes that anyone may call. */
    principal: Principal | null;
  }
}
