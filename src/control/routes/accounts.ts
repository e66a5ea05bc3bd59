import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { checkRegion, idempotency } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { AccountParams, AccountShape, NewAccountShape, PerAccount } from '../shapes/account.ts';
import { closed, day, EmptyBody, IdempotencyHeaders, RegionName } from '../shapes/common.ts';

const tag = 'Accounts';
const DEFAULT_PAGE = 100;

const accountFields = { region: Type.Optional(RegionName), perAccount: Type.Optional(PerAccount) };

export const CreateAccountBody = Type.Object(accountFields, closed);

export const UpdateAccountBody = Type.Object(
  {
    ...accountFields,
    suspended: Type.Optional(
      Type.Boolean({ description: 'true: stop serving its addresses; false: serve them again' }),
    ),
    keep: Type.Optional(
      Type.Boolean({ description: 'true: never erase it for lack of use (retention.lapsedDays)' }),
    ),
  },
  closed,
);

const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'Accounts per page; 100 by default' }),
    ),
    after: Type.Optional(
      Type.String({
        maxLength: 64,
        description: '`next` of the previous page',
        expected: 'text of up to 64 characters',
      }),
    ),
  },
  closed,
);

const AccountPageShape = Type.Object(
  {
    accounts: Type.Array(AccountShape),
    next: Type.Union([Type.String(), Type.Null()], {
      description: '`after` of the next page; null on the last one',
    }),
  },
  { ...closed, title: 'AccountPage' },
);

const LapsingQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'Accounts at most; 100 by default' }),
    ),
  },
  closed,
);

const LapsingShape = Type.Object(
  {
    accounts: Type.Array(
      Type.Object(
        { account: AccountShape, erasesAt: day('Erasure') },
        { ...closed, title: 'LapsingAccount' },
      ),
    ),
  },
  { ...closed, title: 'LapsingAccounts' },
);

const SecretShape = Type.Object(
  { secret: Type.String({ description: 'The new key. The old one has ended.' }) },
  { ...closed, title: 'Secret' },
);

/** The operator's calls about accounts. */
export function accountsRoutes(app: App, context: Context): void {
  addCreate(app, context);
  addList(app, context);
  addLapsing(app, context);
  addGet(app, context);
  addUpdate(app, context);
  addDelete(app, context);
  addSecret(app, context);
}

function addCreate(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'createAccount',
    summary: 'Create an account',
    tag,
    headers: IdempotencyHeaders,
    body: CreateAccountBody,
    response: { 201: { ...NewAccountShape, headers: { Location: { type: 'string' } } } },
    problems: ['idempotency_key_reused', 'too_many_profiles'],
  });
  app.post('/v1/accounts', route, async (request, reply) => {
    checkRegion(request.body.region, context);
    const { account, secret } = await context.registry.createAccount({
      ...request.body,
      ...idempotency(request.headers),
    });
    const { id, region, perAccount, createdAt } = account;
    reply.code(201).header('location', `/v1/accounts/${id}`);
    return { id, secret, region, perAccount, createdAt };
  });
}

function addList(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'listAccounts',
    summary: 'List the accounts, in pages',
    description: 'The order is stable: a walk over the pages meets every account.',
    tag,
    querystring: PageQuery,
    response: { 200: AccountPageShape },
  });
  app.get('/v1/accounts', route, (request) => {
    const { limit = DEFAULT_PAGE, after } = request.query;
    return context.registry.listAccounts(after === undefined ? { limit } : { limit, after });
  });
}

function addLapsing(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'listLapsingAccounts',
    summary: 'List the accounts that are about to be erased for lack of use',
    description:
      'Accounts without a registration for `retention.lapsedDays` are erased. Each is listed here for 30 days before, the ' +
      'first to be erased first. A registration, or `keep`, takes it off.',
    tag,
    querystring: LapsingQuery,
    response: { 200: LapsingShape },
  });
  app.get('/v1/lapsing-accounts', route, async (request) => ({
    accounts: await context.registry.lapsingAccounts(request.query.limit ?? DEFAULT_PAGE),
  }));
}

function addGet(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'getAccount',
    summary: 'Show an account',
    tag,
    params: AccountParams,
    response: { 200: AccountShape },
    problems: ['not_found'],
  });
  app.get('/v1/accounts/:id', route, async (request) => {
    const account = await context.registry.getAccount(request.params.id);
    if (account === null) throw new ProblemError('not_found');
    return account;
  });
}

function addUpdate(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'updateAccount',
    summary: 'Change, suspend or resume an account',
    description: 'Effective from the next query. A lower limit removes no address.',
    tag,
    params: AccountParams,
    body: UpdateAccountBody,
    response: { 200: AccountShape },
    problems: ['not_found', 'too_many_profiles'],
  });
  app.patch('/v1/accounts/:id', route, async (request) => {
    checkRegion(request.body.region, context);
    const account = await context.registry.updateAccount(request.params.id, request.body);
    if (account === null) throw new ProblemError('not_found');
    return account;
  });
}

function addDelete(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'deleteAccount',
    summary: 'Erase an account and everything about it',
    tag,
    params: AccountParams,
    response: { 204: noContent('Erased') },
    problems: ['not_found'],
  });
  app.delete('/v1/accounts/:id', route, async (request, reply) => {
    if (!(await context.registry.deleteAccount(request.params.id))) throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}

function addSecret(app: App, context: Context): void {
  const route = operation('either', {
    operationId: 'rotateSecret',
    summary: 'Give an account a new secret',
    description:
      'The old secret ends at once, and with it all sessions, sign-in links, tickets, update tokens and followed host ' +
      'names: somebody who knew the secret may have made some. Registered addresses stay, except those of host names. An ' +
      'account may make this call for itself.',
    tag,
    params: AccountParams,
    headers: IdempotencyHeaders,
    body: EmptyBody,
    response: { 201: SecretShape },
    problems: ['not_found', 'idempotency_key_reused'],
  });
  app.post('/v1/accounts/:id/secret', route, async (request, reply) => {
    const { principal } = request;
    const { id } = request.params;
    // The id of another account looks like one that does not exist.
    if (principal?.kind === 'account' && principal.account.id !== id) throw new ProblemError('not_found');
    const rotated = await context.registry.rotateSecret(id);
    if (rotated === null) throw new ProblemError('not_found');
    reply.code(201);
    return { secret: rotated.secret };
  });
}
