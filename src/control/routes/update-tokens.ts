import type { App, Context } from '../context.ts';
import { callingAccount, idempotency } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import {
  IdempotencyHeaders,
  NewUpdateTokenShape,
  UpdateTokenBody,
  UpdateTokenListShape,
  UpdateTokenParams,
} from '../schemas.ts';

const tag = 'Routers';

/** An account's calls about the tokens of its routers. */
export function updateTokensRoutes(app: App, context: Context): void {
  addList(app, context);
  addCreate(app, context);
  addRemove(app, context);
}

function addList(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'listUpdateTokens',
    summary: 'List my update tokens',
    tag,
    response: { 200: UpdateTokenListShape },
    problems: ['not_found'],
  });
  app.get('/v1/update-tokens', route, async (request) => {
    const held = await context.registry.readAccount(callingAccount(request).id);
    if (held === null) throw new ProblemError('not_found');
    return { updateTokens: held.updateTokens };
  });
}

function addCreate(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'createUpdateToken',
    summary: 'Make an update token for a router',
    description: 'With it `GET /nic/update` updates an address; it is good for nothing else.',
    tag,
    headers: IdempotencyHeaders,
    body: UpdateTokenBody,
    response: { 201: { ...NewUpdateTokenShape, headers: { Location: { type: 'string' } } } },
    problems: ['not_found', 'too_many_update_tokens', 'idempotency_key_reused'],
  });
  app.post('/v1/update-tokens', route, async (request, reply) => {
    const { updateToken, token } = await context.registry.updateTokens.create(callingAccount(request).id, {
      label: request.body.label,
      ...idempotency(request.headers),
    });
    reply.code(201).header('location', `/v1/update-tokens/${updateToken.id}`);
    return { ...updateToken, token };
  });
}

function addRemove(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'removeUpdateToken',
    summary: 'Take an update token back',
    tag,
    params: UpdateTokenParams,
    response: { 204: noContent('It updates nothing any more; what it registered stays') },
    problems: ['not_found'],
  });
  app.delete('/v1/update-tokens/:id', route, async (request, reply) => {
    const { id } = callingAccount(request);
    if (!(await context.registry.updateTokens.remove(id, request.params.id)))
      throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}
