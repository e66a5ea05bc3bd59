import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { callingAccount, idempotency } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { closed, IdempotencyHeaders, Label } from '../shapes/common.ts';
import { NewUpdateTokenShape, UpdateTokenShape } from '../shapes/update-token.ts';

const tag = 'Routers';

const CreateBody = Type.Object({ label: Label }, closed);

const Params = Type.Object({ id: Type.String({ description: "The token's id" }) });

const UpdateTokenListShape = Type.Object(
  { updateTokens: Type.Array(UpdateTokenShape) },
  { ...closed, title: 'UpdateTokenList' },
);

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
    const stored = await context.registry.readAccount(callingAccount(request).id);
    if (stored === null) throw new ProblemError('not_found');
    return { updateTokens: stored.updateTokens };
  });
}

function addCreate(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'createUpdateToken',
    summary: 'Create an update token for a router',
    description: 'It authorizes `GET /nic/update` and nothing else.',
    tag,
    headers: IdempotencyHeaders,
    body: CreateBody,
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
    summary: 'Revoke an update token',
    tag,
    params: Params,
    response: { 204: noContent('Revoked; the addresses that it registered stay') },
    problems: ['not_found'],
  });
  app.delete('/v1/update-tokens/:id', route, async (request, reply) => {
    const { id } = callingAccount(request);
    if (!(await context.registry.updateTokens.remove(id, request.params.id)))
      throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}
