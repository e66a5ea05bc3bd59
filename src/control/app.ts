import type { IncomingMessage } from 'node:http';
import {
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  fastify,
  type RouteOptions,
} from 'fastify';
import { controlCounter, controlRoute } from '../metrics/index.ts';
import { ChangeLimit } from './change-limit.ts';
import type { App, Context } from './context.ts';
import { SessionCookie } from './cookie.ts';
import { addCors } from './cors.ts';
import { documentsRoutes } from './documents.ts';
import { ErrorLog } from './error-log.ts';
import { problemOf } from './error-problems.ts';
import { securityHeaders } from './headers.ts';
import { Keys } from './keys.ts';
import { collectRoutes } from './openapi.ts';
import type { ControlCounters, ControlOptions } from './options.ts';
import { checkFraming, OriginGuard } from './origin.ts';
import { pageFilesRoutes } from './page-files.ts';
import { PROBLEM_TYPE, ProblemError } from './problem.ts';
import { accountRoutes } from './routes/account.ts';
import { accountRegistrationsRoutes } from './routes/account-registrations.ts';
import { accountsRoutes } from './routes/accounts.ts';
import { dyndns2Routes } from './routes/dyndns2.ts';
import { hostnamesRoutes } from './routes/hostnames.ts';
import { ipRoutes } from './routes/ip.ts';
import { pageRoutes } from './routes/page.ts';
import { privateNamesRoutes } from './routes/private-names.ts';
import { PROBE_PATHS, probeRoutes } from './routes/probe.ts';
import { registrationsRoutes } from './routes/registrations.ts';
import { sessionRoutes } from './routes/session.ts';
import { signInLinksRoutes } from './routes/sign-in-links.ts';
import { ticketsRoutes } from './routes/tickets.ts';
import { updateTokensRoutes } from './routes/update-tokens.ts';
import { compileSchema } from './validation.ts';

const BODY_LIMIT_BYTES = 64 * 1024;
const MAX_PARAM_LENGTH = 128;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** The cast: Fastify's types only know compilers made of ajv. */
const SCHEMA_CONTROLLER = {
  compilersFactory: { buildValidator: () => compileSchema, buildSerializer: () => () => JSON.stringify },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;

/**
 * Builds the API without listeners. Fastify's own log is off because it writes addresses and paths. Its serializer and
 * ajv are not loaded, to save memory: handlers return exactly what their schemas describe, which tests check.
 */
export async function buildApp(options: ControlOptions): Promise<App> {
  const errorLog = new ErrorLog(options.logger, options.now);
  const headers = securityHeaders(options.publicUrl);
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(error);
    if (problem === null || problem.status >= 500) {
      errorLog.note(error, request.method, request.routeOptions.url ?? 'none');
    }
    sendProblem(reply, problem ?? new ProblemError('internal'));
  };
  const app: App = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestIdHeader: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    schemaController: SCHEMA_CONTROLLER,
    frameworkErrors: (error, request, reply) => {
      reply.headers(headers);
      fail(error, request as unknown as FastifyRequest, reply as unknown as FastifyReply);
    },
  });
  app.setErrorHandler(fail);
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, new ProblemError('not_found')));
  acceptJsonOnly(app);
  const cookie = new SessionCookie(options.publicUrl);
  const keys = new Keys(options, cookie);
  const changeLimit = new ChangeLimit(options);
  guardCalls(app, { ...options, keys, cookie, changeLimit }, headers);
  if (options.counters !== undefined) countReplies(app, options.counters);
  await addRoutes(app, options, { ...options, keys, cookie, changeLimit, errorLog });
  return app;
}

async function addRoutes(app: App, options: ControlOptions, context: Context): Promise<void> {
  const routes = recordRoutes(app);
  await collectRoutes(app, options);
  for (const add of [
    accountsRoutes,
    accountRegistrationsRoutes,
    signInLinksRoutes,
    accountRoutes,
    registrationsRoutes,
    ipRoutes,
    hostnamesRoutes,
    updateTokensRoutes,
    privateNamesRoutes,
    dyndns2Routes,
    sessionRoutes,
    pageRoutes,
    ticketsRoutes,
    probeRoutes,
  ]) {
    add(app, context);
  }
  await pageFilesRoutes(app, options);
  await documentsRoutes(app);
  refuseOtherMethods(app, routes);
  await app.ready();
}

function sendProblem(reply: FastifyReply, problem: ProblemError): void {
  // As bytes: Fastify adds a charset to text, and JSON has none (RFC 8259, section 11).
  const body = Buffer.from(JSON.stringify(problem.body));
  reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(body);
}

/** Reads JSON only: a page of another site can send forms and text/plain without a CORS preflight. */
function acceptJsonOnly(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parseJson(request, body as string, done);
  });
  // A missing body counts as an empty object.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    done();
  });
}

/** Checks every call before its body is read: host and origin first, then the key. */
function guardCalls(
  app: App,
  options: ControlOptions & Pick<Context, 'keys' | 'cookie' | 'changeLimit'>,
  headers: Record<string, string>,
): void {
  const {
    publicUrl,
    familyUrls = { ipv4: null, ipv6: null },
    testZone = null,
    keys,
    cookie,
    changeLimit,
  } = options;
  const urls = [publicUrl, familyUrls.ipv4, familyUrls.ipv6].filter((url) => url !== null);
  const origin = new OriginGuard(urls, testZone);
  app.decorateRequest('principal', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    const message: IncomingMessage = request.raw;
    checkFraming(message);
    origin.checkTarget(message);
    if (origin.isProbe(message)) {
      if (!PROBE_PATHS.includes(request.routeOptions.url ?? '')) throw new ProblemError('foreign_host');
      return;
    }
    origin.check(message);
    if (request.routeOptions.config.crossOrigin === true) addCors(message, reply, publicUrl);
    const access = request.routeOptions.config.access ?? 'anyone';
    if (access === 'anyone') return;
    const principal = await keys.require(access, message);
    request.principal = principal;
    if (principal.kind === 'account' && !isRead(message))
      reply.headers(changeLimit.count(principal.account.id));
    if (principal.kind === 'account' && principal.renewedSession !== undefined) {
      reply.header('set-cookie', cookie.set(principal.renewedSession));
    }
  });
}

function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function countReplies(app: App, counters: ControlCounters): void {
  app.addHook('onResponse', (request, reply, done) => {
    counters.increment(controlCounter(controlRoute(request.routeOptions.url), reply.statusCode));
    done();
  });
}

/** A route as it was added. Later hooks complete its options, and Fastify reuses the object for `/docs` and `/docs/`. */
interface AddedRoute {
  readonly url: string;
  readonly method: RouteOptions['method'];
  readonly options: RouteOptions;
}

/** Collects the routes that are added from here on. */
function recordRoutes(app: App): AddedRoute[] {
  const routes: AddedRoute[] = [];
  app.addHook('onRoute', (options) => {
    routes.push({ url: options.url, method: options.method, options });
  });
  return routes;
}

/**
 * Answers other methods of a known path with 405 and its own methods (RFC 9110, section 15.5.6).
 *
 * @throws Error if a route does not declare its access
 */
function refuseOtherMethods(app: App, routes: readonly AddedRoute[]): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { url, method, options } of routes) {
    if (options.config?.access === undefined) throw new Error(`${url} does not declare who may call it`);
    const methods = methodsOf.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    methodsOf.set(url, methods);
  }
  for (const [url, methods] of methodsOf) {
    // Fastify adds the GET of '/docs/' without telling onRoute.
    if (methods.has('HEAD') && !methods.has('GET')) continue;
    const allow = [...methods].sort().join(', ');
    app.route({
      method: METHODS.filter((method) => !methods.has(method)),
      url,
      config: { access: 'anyone' },
      schema: { hide: true },
      onRequest: async () => {
        throw new ProblemError('method_not_allowed', { headers: { allow } });
      },
      handler: () => undefined,
    });
  }
}
