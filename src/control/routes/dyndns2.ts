import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type Address, formatAddress, parseAddress, scopeOf } from '../../net/index.ts';
import { AddressNotPublicError } from '../../registry/index.ts';
import { callerAddress, isSameHome } from '../caller.ts';
import type { App, Context } from '../context.ts';
import { operation } from '../operation.ts';
import { DEFAULT_UPDATE_LIMITS } from '../options.ts';
import { Throttle } from '../throttle.ts';

const tag = 'Routers';
/** Host names per update, as at dyndns.org. */
const MAX_HOSTNAMES = 20;
/** Host name, with underscores allowed. A single label is enough: the name only labels the registration. */
const HOSTNAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** Dyn's own, and the one that its later clients and their copies call. */
const PATHS = ['/nic/update', '/v3/update'];
/** Other spellings: changeip.com's and dynv6's clients, which OpenWrt, Tomato and DD-WRT contain. */
const HOSTNAME_FIELDS = ['hostname', 'host', 'domain'];
const ADDRESS_FIELDS = ['myip', 'myipv6', 'myipv4', 'ip', 'ipv4', 'ipv6'];
/** 20 names of 253 characters, with room. */
const FORM_BYTES = 8192;
/** RFC 7617, section 2. */
const BASIC = /^basic +([A-Za-z0-9+/]{1,600}={0,2})$/i;
const CHALLENGE = 'Basic realm="mediastreamer", charset="UTF-8"';

/** Serves dyndns2, the update protocol of routers and DDNS clients. */
export function dyndns2Routes(app: App, context: Context): void {
  addUpdate(app, context);
  addCheckIp(app, context);
}

const text = (description: string) =>
  Type.Unsafe({ description, content: { 'text/plain': { schema: Type.String() } } });

function addUpdate(app: App, context: Context): void {
  const parameter = (description: string) =>
    Type.Optional(Type.Unsafe<string>({ type: 'string', description }));
  const route = operation('anyone', {
    operationId: 'updateAddress',
    summary: "Update a home's address by dyndns2",
    description:
      'The only GET that changes anything; POST, with the parameters in the URL or as a form, and `/v3/update` do the same. ' +
      "HTTP Basic with the account's id and an update token; User-Agent is required. " +
      'The first host name labels the registration. Another address of the same family with one of the labels is ' +
      'removed; at the limit the oldest address gives way. Replies, one line a host name: `good IP`, `nochg IP` (the lease ' +
      'is renewed), `!yours` (not the address of the call); one for all: `badauth` (401), `badagent`, `notfqdn`, ' +
      '`numhost`, `nohost` (the address may not be registered), `abuse` (too many updates), `911` (come back later).',
    tag,
    querystring: Type.Object({
      hostname: parameter('The name, or several separated by commas'),
      myip: parameter('The address that the client reports, of one family or `v4,v6`'),
      myipv6: parameter('The IPv6 address that the client reports'),
    }),
    response: { 200: text('A code a line'), 401: text('`badauth`') },
    security: [{ updateToken: [] }],
  });
  const limits = { ...DEFAULT_UPDATE_LIMITS, ...context.updates };
  const throttle = new Throttle({
    limit: limits.updates,
    windowSeconds: limits.windowSeconds,
    sources: limits.accounts,
    now: context.now,
  });
  // The handler parses the query itself: errors get a word of the protocol, not a problem document.
  const options = { ...route, exposeHeadRoute: false, validatorCompiler: () => () => true };
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.type('text/plain');
    const { status, lines } = await update(context, throttle, request);
    if (status === 401) reply.header('www-authenticate', CHALLENGE);
    return reply.code(status).send(lines.join('\n'));
  };
  app.get('/nic/update', options, handler);
  const hidden = { ...options, schema: { ...options.schema, hide: true } };
  app.get('/v3/update', hidden, handler);
  app.register(async (forms) => {
    forms.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: FORM_BYTES },
      (_request, body, done) => done(null, body),
    );
    for (const path of PATHS) forms.post(path, hidden, handler);
  });
}

interface Answer {
  status: 200 | 401;
  lines: string[];
}

const one = (line: string): Answer => ({ status: 200, lines: [line] });

async function update(context: Context, throttle: Throttle, request: FastifyRequest): Promise<Answer> {
  if ((request.headers['user-agent'] ?? '').trim() === '') return one('badagent');
  // Not a guess: wget, curl --anyauth, uclient-fetch and others send credentials only after this challenge.
  if (request.headers.authorization === undefined) return { status: 401, lines: ['badauth'] };
  try {
    const accountId = await authenticate(context, request);
    if (accountId === null) {
      return context.keys.noteFailure(request.raw) ? one('abuse') : { status: 401, lines: ['badauth'] };
    }
    if (throttle.count(accountId) > 0) return one('abuse');
    return await move(context, accountId, request);
  } catch (error) {
    // Any other status than 200 stops some clients for good.
    context.errorLog.note(error, 'GET', '/nic/update');
    return one('911');
  }
}

/** Returns the id of the account that the call names if the token is one of its own, else null. */
async function authenticate({ registry }: Context, { headers }: FastifyRequest): Promise<string | null> {
  const encoded = BASIC.exec(headers.authorization ?? '')?.[1];
  if (encoded === undefined) return null;
  const pair = Buffer.from(encoded, 'base64').toString();
  const colon = pair.indexOf(':');
  if (colon < 0) return null;
  const account = await registry.updateTokens.authenticate(pair.slice(0, colon), pair.slice(colon + 1));
  return account?.id ?? null;
}

async function move(context: Context, accountId: string, request: FastifyRequest): Promise<Answer> {
  const { searchParams } = new URL(request.raw.url ?? '', 'http://localhost');
  if (typeof request.body === 'string') {
    for (const [name, value] of new URLSearchParams(request.body)) searchParams.append(name, value);
  }
  const hostnames = listOf(searchParams, HOSTNAME_FIELDS).map((name) =>
    name.toLowerCase().replace(/\.$/, ''),
  );
  if (hostnames.length > MAX_HOSTNAMES) return one('numhost');
  if (hostnames.length === 0 || !hostnames.every((name) => HOSTNAME.test(name))) return one('notfqdn');
  const caller = callerAddress(request.raw, context.trustedProxies);
  const address = claimed(listOf(searchParams, ADDRESS_FIELDS), caller);
  const answer = (line: string): Answer => ({ status: 200, lines: hostnames.map(() => line) });
  if (address === null) return answer('!yours');
  try {
    const { changed } = await context.registry.register(accountId, {
      address,
      label: hostnames[0]!,
      source: 'dyndns2',
      replace: 'oldest',
      movedLabels: hostnames,
    });
    return answer(`${changed ? 'good' : 'nochg'} ${formatAddress(address)}`);
  } catch (error) {
    if (error instanceof AddressNotPublicError) return one('nohost');
    throw error;
  }
}

/** Returns the elements of a parameter in all its spellings; each occurrence is a list separated by commas. */
function listOf(parameters: URLSearchParams, spellings: readonly string[]): string[] {
  return spellings
    .flatMap((name) => parameters.getAll(name))
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

/**
 * Returns the address that the claims mean: the caller's own, in the claimed form if one claim has it. Null if a claim is
 * the public address of somebody else. A claim that cannot be a public address is ignored: routers behind an ISP's router
 * send their private WAN address, others a prefix or an unfilled template.
 */
function claimed(claims: readonly string[], caller: Address): Address | null {
  let own: Address | null = null;
  for (const claim of claims) {
    const address = parseAddress(claim);
    if (address === null || address.family !== caller.family) continue;
    if (isSameHome(address, caller)) own ??= address;
    else if (scopeOf(address) === 'public') return null;
  }
  return own ?? caller;
}

function addCheckIp(app: App, context: Context): void {
  const route = operation('anyone', {
    operationId: 'checkIp',
    summary: 'Show the address that I call from, as DDNS clients read it',
    tag,
    querystring: Type.Object({}),
    response: {
      200: Type.Unsafe({ description: 'A page', content: { 'text/html': { schema: Type.String() } } }),
    },
    problems: ['bad_forwarded_for'],
  });
  app.get('/nic/checkip', route, async (request, reply) => {
    const address = formatAddress(callerAddress(request.raw, context.trustedProxies));
    reply.type('text/html');
    return `<html><head><title>Current IP Check</title></head><body>Current IP Address: ${address}</body></html>`;
  });
}
