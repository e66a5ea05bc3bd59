import type { IncomingMessage } from 'node:http';
import { type FastifyReply, type FastifyRequest, type FastifyServerOptions, fastify } from 'fastify';
import { controlCounter, controlRoute } from '../metrics/index.ts';
import type { App, Context } from './context.ts';
import { sessionCookie } from './cookie.ts';
import { addCors } from './cors.ts';
import { documentsRoutes } from './documents.ts';
import { FaultLog, problemOf } from './fault.ts';
import { securityHeaders } from './headers.ts';
import { Keys } from './keys.ts';
import { collectRoutes } from './openapi.ts';
import type { ControlCounters, ControlOptions } from './options.ts';
import { OriginGuard } from './origin.ts';
import { pageFilesRoutes } from './page-files.ts';
import { PROBLEM_TYPE, ProblemError } from './problem.ts';
import { accountRoutes } from './routes/account.ts';
import { accountRegistrationsRoutes } from './routes/account-registrations.ts';
import { accountsRoutes } from './routes/accounts.ts';
import { dyndns2Routes } from './routes/dyndns2.ts';
import { hostnamesRoutes } from './routes/hostnames.ts';
import { ipRoutes } from './routes/ip.ts';
import { pageRoutes } from './routes/page.ts';
import { PROBE_PATHS, probeRoutes } from './routes/probe.ts';
import { registrationsRoutes } from './routes/registrations.ts';
import { sessionRoutes } from './routes/session.ts';
import { signInLinksRoutes } from './routes/sign-in-links.ts';
import { ticketsRoutes } from './routes/tickets.ts';
import { updateTokensRoutes } from './routes/update-tokens.ts';
import { compileSchema } from './validation.ts';

export const BODY_LIMIT_BYTES = 64 * 1024;
const MAX_PARAM_LENGTH = 128;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Fastify's types know compilers made of ajv only. */
const SCHEMA_CONTROLLER = {
  compilersFactory: { buildValidator: () => compileSchema, buildSerializer: () => () => JSON.stringify },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;

/**
 * Builds the API as an app that listens nowhere. Fastify's own log is off, as it writes addresses and paths; its
 * default serializer and ajv are not loaded: handlers make exactly what their schemas describe, and tests hold it.
 */
export async function buildApp(options: ControlOptions): Promise<App> {
  const faults = new FaultLog(options.logger, options.now);
  const headers = securityHeaders(options.publicUrl);
  const fail = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(error);
    if (problem === null || problem.status >= 500) {
      faults.note(error, request.method, request.routeOptions.url ?? 'none');
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
  const keys = new Keys(options);
  guardCalls(app, options, keys, headers);
  if (options.counters !== undefined) countReplies(app, options.counters);
  const noteFault = (error: unknown, method: string, route: string) => faults.note(error, method, route);
  await addRoutes(app, options, { ...options, keys, noteFault });
  return app;
}

async function addRoutes(app: App, options: ControlOptions, context: Context): Promise<void> {
  const methodsOf = recordRoutes(app);
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
    dyndns2Routes,
    sessionRoutes,
    pageRoutes,
    ticketsRoutes,
    probeRoutes,
  ]) {
    add(app, context);
  }
  pageFilesRoutes(app, options);
  documentsRoutes(app);
  refuseOtherMethods(app, methodsOf);
  await app.ready();
}

function sendProblem(reply: FastifyReply, problem: ProblemError): void {
  // Bytes, as Fastify would add a charset to text, which JSON does not have (RFC 8259, section 11).
  const body = Buffer.from(JSON.stringify(problem.body));
  reply.code(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(body);
}

/** Forms and text/plain are what a page of another site can send without asking (CORS), so they are not read. */
function acceptJsonOnly(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parseJson(request, body as string, done);
  });
  // No body is an empty object, where an object is expected.
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    done();
  });
}

/** The order that every call goes through before its body is read: host and origin, then the key. */
function guardCalls(app: App, options: ControlOptions, keys: Keys, headers: Record<string, string>): void {
  const { publicUrl, familyUrls = { ipv4: null, ipv6: null }, testZone = null } = options;
  const urls = [publicUrl, familyUrls.ipv4, familyUrls.ipv6].filter((url) => url !== null);
  const origin = new OriginGuard(urls, testZone);
  const isSecure = publicUrl.startsWith('https:');
  app.decorateRequest('principal', null);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    const message: IncomingMessage = request.raw;
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
    if (principal.kind === 'account' && principal.renewedSession !== undefined) {
      reply.header('set-cookie', sessionCookie(principal.renewedSession, isSecure));
    }
  });
}

function countReplies(app: App, counters: ControlCounters): void {
  app.addHook('onResponse', (request, reply, done) => {
    counters.increment(controlCounter(controlRoute(request.routeOptions.url), reply.statusCode));
    done();
  });
}

/** Notes the methods of every path, and that every route says who may call it. */
function recordRoutes(app: App): Map<string, Set<string>> {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', (route) => {
    if (route.config?.access === undefined) throw new Error(`${route.url} does not say who may call it`);
    const methods = methodsOf.get(route.url) ?? new Set();
    for (const method of [route.method].flat()) methods.add(method);
    methodsOf.set(route.url, methods);
  });
  return methodsOf;
}

/** RFC 9110, section 15.5.6: a path that exists answers other methods by 405 and names its own. */
function refuseOtherMethods(app: App, methodsOf: ReadonlyMap<string, Set<string>>): void {
  for (const [url, methods] of [...methodsOf]) {
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
