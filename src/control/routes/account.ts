import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { callingAccount, checkRegion, checkServices } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { AccountShape, Services } from '../shapes/account.ts';
import { closed, day, RegionName, time } from '../shapes/common.ts';
import { HostnameShape } from '../shapes/hostname.ts';
import { PrivateNameShape } from '../shapes/private-name.ts';
import { RegistrationShape } from '../shapes/registration.ts';
import { UpdateTokenShape } from '../shapes/update-token.ts';

const tag = 'My account';

const UpdateBody = Type.Object(
  { region: Type.Optional(RegionName), services: Type.Optional(Services) },
  closed,
);

const credentials = (description: string) =>
  Type.Array(Type.Object({ createdAt: day('Creation'), expiresAt: day('End') }, closed), { description });

const ExportShape = Type.Object(
  {
    version: Type.Integer({
      description: 'Raised when a field changes its meaning or goes; fields may be added',
    }),
    exportedAt: time('Time of the export'),
    account: AccountShape,
    registrations: Type.Array(RegistrationShape),
    updateTokens: Type.Array(UpdateTokenShape),
    hostnames: Type.Array(HostnameShape),
    privateNames: Type.Array(PrivateNameShape),
    sessions: credentials('Browsers that are signed in to the page'),
    signInLinks: credentials('Sign-in links that were not used yet'),
    tickets: credentials('Tickets by which the page registers the other address family, for a minute'),
    repeatedCalls: Type.Array(Type.Object({ expiresAt: day('End') }, closed), {
      description:
        'Calls with an Idempotency-Key whose repeats are recognized for a day; hashes only are stored',
    }),
  },
  { title: 'AccountExport', description: 'Everything that is stored about the account' },
);

/** An account's calls about itself. */
export function accountRoutes(app: App, context: Context): void {
  addGet(app);
  addUpdate(app, context);
  addDelete(app, context);
  addExport(app, context);
}

function addGet(app: App): void {
  const route = operation('account', {
    operationId: 'getOwnAccount',
    summary: 'Show my account',
    tag,
    response: { 200: AccountShape },
  });
  app.get('/v1/account', route, async (request) => callingAccount(request));
}

function addUpdate(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'updateOwnAccount',
    summary: 'Choose where to watch from',
    description:
      'A region for everything, and others for single services. Effective from the next query. ' +
      '`services` replaces all earlier choices; `{}` goes back to the one region.',
    tag,
    body: UpdateBody,
    response: { 200: AccountShape },
    problems: ['not_found', 'too_many_profiles'],
  });
  app.patch('/v1/account', route, async (request) => {
    const { id, services: held } = callingAccount(request);
    const { region, services } = request.body;
    checkRegion(region, context);
    if (services !== undefined) checkServices(services, held, context);
    const account = await context.registry.updateAccount(id, request.body);
    if (account === null) throw new ProblemError('not_found');
    return account;
  });
}

function addDelete(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'deleteOwnAccount',
    summary: 'Erase my account and everything about it',
    tag,
    response: { 204: noContent('Erased') },
    problems: ['not_found'],
  });
  app.delete('/v1/account', route, async (request, reply) => {
    if (!(await context.registry.deleteAccount(callingAccount(request).id)))
      throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}

function addExport(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'exportOwnAccount',
    summary: 'Get everything that is stored about me',
    description: 'A file. Of secrets, tokens and links only hashes are stored, which are not listed.',
    tag,
    response: { 200: { ...ExportShape, headers: { 'Content-Disposition': { type: 'string' } } } },
    problems: ['not_found'],
  });
  app.get('/v1/account/export', route, async (request, reply) => {
    const data = await context.registry.exportAccount(callingAccount(request).id);
    if (data === null) throw new ProblemError('not_found');
    reply.header('content-disposition', 'attachment; filename="dns-settings.json"');
    return data;
  });
}
