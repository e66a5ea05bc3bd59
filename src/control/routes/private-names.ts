import { Type } from 'typebox';
import type { PrivateName } from '../../registry/index.ts';
import type { App, Context } from '../context.ts';
import { callingAccount, idempotency, readAddress } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { closed, IdempotencyHeaders, Label } from '../shapes/common.ts';
import { HomeOnly, NewPrivateNameShape, PrivateNameShape } from '../shapes/private-name.ts';
import { AddressText } from '../shapes/registration.ts';

const tag = 'Private names';

const Params = Type.Object({ id: Type.String({ description: "The name's id" }) });

const ListShape = Type.Object(
  { privateNames: Type.Array(PrivateNameShape) },
  { ...closed, title: 'PrivateNameList' },
);

const ClaimShape = Type.Object(
  {
    outcome: Type.Enum(['registered', 'waiting', 'too_many_addresses', 'unknown'], {
      description:
        '`registered`: the address is registered. `waiting`: the name holds another address and does not move yet. ' +
        '`too_many_addresses`: the account is at its limit. `unknown`: no live name, or not an address that may be ' +
        'registered',
    }),
  },
  { ...closed, title: 'PrivateNameClaim' },
);

/** An account's calls about its private names, and the call by which an edge reports a query. */
export function privateNamesRoutes(app: App, context: Context): void {
  addList(app, context);
  addCreate(app, context);
  addChange(app, context);
  addRenew(app, context);
  addRemove(app, context);
  addClaim(app, context);
}

/** @throws Problem `private_names_off` */
function domainOf({ privateNames }: Context): string {
  if (privateNames == null) throw new ProblemError('private_names_off');
  return privateNames.domain;
}

/** Makes the reply that shows a name's token. */
function shown(domain: string, { privateName, token }: { privateName: PrivateName; token: string }) {
  return { ...privateName, dot: `${token}.${domain}`, doh: `https://${domain}/dns-query/${token}` };
}

function addList(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'listPrivateNames',
    summary: 'List my private names',
    tag,
    response: { 200: ListShape },
    problems: ['not_found'],
  });
  app.get('/v1/private-names', route, async (request) => {
    const stored = await context.registry.readAccount(callingAccount(request).id);
    if (stored === null) throw new ProblemError('not_found');
    return { privateNames: stored.privateNames };
  });
}

function addCreate(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'createPrivateName',
    summary: 'Create a private name for a device or a home',
    description:
      'A query by the name registers the address that it comes from, so that a home whose address changes stays ' +
      'registered. Networks see the name: who knows it can move its one registration, and nothing else.',
    tag,
    headers: IdempotencyHeaders,
    body: Type.Object({ label: Label, homeOnly: Type.Optional(HomeOnly) }, closed),
    response: { 201: { ...NewPrivateNameShape, headers: { Location: { type: 'string' } } } },
    problems: ['not_found', 'private_names_off', 'too_many_private_names', 'idempotency_key_reused'],
  });
  app.post('/v1/private-names', route, async (request, reply) => {
    const domain = domainOf(context);
    const made = await context.registry.privateNames.create(callingAccount(request).id, {
      ...request.body,
      ...idempotency(request.headers),
    });
    reply.code(201).header('location', `/v1/private-names/${made.privateName.id}`);
    return shown(domain, made);
  });
}

function addChange(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'changePrivateName',
    summary: 'Let a private name move at once, or only when the home moves',
    tag,
    params: Params,
    body: Type.Object({ homeOnly: HomeOnly }, closed),
    response: { 200: PrivateNameShape },
    problems: ['not_found'],
  });
  app.patch('/v1/private-names/:id', route, async (request) => {
    const { id: accountId } = callingAccount(request);
    const { id } = request.params;
    const { privateNames } = context.registry;
    if (!(await privateNames.change(accountId, id, request.body))) throw new ProblemError('not_found');
    const stored = await context.registry.readAccount(accountId);
    const changed = stored?.privateNames.find((one) => one.id === id);
    if (changed === undefined) throw new ProblemError('not_found');
    return changed;
  });
}

function addRenew(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'renewPrivateName',
    summary: 'Give a private name a new token',
    description: 'The old one ends at once; the addresses that the name registered stay.',
    tag,
    params: Params,
    body: Type.Object({}, closed),
    response: { 201: NewPrivateNameShape },
    problems: ['not_found', 'private_names_off'],
  });
  app.post('/v1/private-names/:id/token', route, async (request, reply) => {
    const domain = domainOf(context);
    const made = await context.registry.privateNames.renew(callingAccount(request).id, request.params.id);
    if (made === null) throw new ProblemError('not_found');
    reply.code(201);
    return shown(domain, made);
  });
}

function addRemove(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'removePrivateName',
    summary: 'Remove a private name',
    tag,
    params: Params,
    response: { 204: noContent('Removed, and the addresses that it registered') },
    problems: ['not_found'],
  });
  app.delete('/v1/private-names/:id', route, async (request, reply) => {
    const { id } = callingAccount(request);
    if (!(await context.registry.privateNames.remove(id, request.params.id)))
      throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}

/** Lets an edge register addresses for names whose tokens it has seen, and nothing else. */
function addClaim(app: App, context: Context): void {
  const route = operation('edge', {
    operationId: 'claimPrivateName',
    summary: 'Report a query by a private name, from an edge',
    tag,
    body: Type.Object(
      {
        token: Type.String({ maxLength: 64, description: 'The token, in any case', expected: 'a token' }),
        address: AddressText,
      },
      closed,
    ),
    response: { 200: ClaimShape },
    problems: ['private_names_off'],
  });
  app.post('/v1/private-names/claims', route, async (request) => {
    domainOf(context);
    const { token, address } = request.body;
    return { outcome: await context.registry.privateNames.claim(token, readAddress(address)) };
  });
}
