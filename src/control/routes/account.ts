import type { App, Context } from '../context.ts';
import { callingAccount, checkRegion, checkServices } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { AccountExportShape, AccountShape, UpdateOwnAccountBody } from '../schemas.ts';

const tag = 'My account';

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
      'The region for everything, and others for single services. Holds with the next query. ' +
      '`services` takes the place of what was chosen before; `{}` goes back to the one region.',
    tag,
    body: UpdateOwnAccountBody,
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
    summary: 'Get all that is held about me',
    tag,
    response: { 200: AccountExportShape },
    problems: ['not_found'],
  });
  app.get('/v1/account/export', route, async (request) => {
    const held = await context.registry.exportAccount(callingAccount(request).id);
    if (held === null) throw new ProblemError('not_found');
    return held;
  });
}
