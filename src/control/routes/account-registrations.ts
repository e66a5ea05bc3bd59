import { Type } from 'typebox';
import type { App, Context } from '../context.ts';
import { idempotency, readAddress } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { sendRegistration } from '../registration-reply.ts';
import { AccountParams } from '../shapes/account.ts';
import { closed, IdempotencyHeaders } from '../shapes/common.ts';
import {
  AddressText,
  RegistrationListShape,
  RegistrationShape,
  registrationFields,
} from '../shapes/registration.ts';

const tag = 'Addresses of an account';

export const RegisterForAccountBody = Type.Object(
  {
    address: AddressText,
    ...registrationFields,
    evidence: Type.Optional(
      Type.Enum(['seen', 'told'], {
        description:
          "`seen` (default): you know that the address is the customer's. `told`: you have it from hearsay; it does not " +
          "override another account's `seen` address, and UDP answers to it are limited",
        expected: '"seen", "told", or to be left out',
      }),
    ),
  },
  closed,
);

const Params = Type.Object({
  id: Type.String({ description: "The account's id" }),
  rid: Type.String({ description: "The registration's id" }),
});

/** The operator's calls about the addresses of an account; the operator may register any address. */
export function accountRegistrationsRoutes(app: App, context: Context): void {
  addList(app, context);
  addRegister(app, context);
  addRemove(app, context);
}

function addList(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'listAccountRegistrations',
    summary: 'List the addresses of an account',
    tag,
    params: AccountParams,
    response: { 200: RegistrationListShape },
    problems: ['not_found'],
  });
  app.get('/v1/accounts/:id/registrations', route, async (request) => {
    const registrations = await context.registry.listRegistrations(request.params.id);
    if (registrations === null) throw new ProblemError('not_found');
    return { registrations };
  });
}

function addRegister(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'registerForAccount',
    summary: 'Register any address for an account',
    tag,
    params: AccountParams,
    headers: IdempotencyHeaders,
    body: RegisterForAccountBody,
    response: {
      200: { ...RegistrationShape, description: 'It was there already; its lease is renewed' },
      201: { ...RegistrationShape, headers: { Location: { type: 'string' } } },
    },
    problems: [
      'not_found',
      'too_many_addresses',
      'address_not_public',
      'idempotency_key_reused',
      'too_many_profiles',
    ],
  });
  app.post('/v1/accounts/:id/registrations', route, async (request, reply) => {
    const { id } = request.params;
    const outcome = await context.registry.register(id, {
      ...request.body,
      address: readAddress(request.body.address),
      source: 'admin',
      ...idempotency(request.headers),
    });
    return sendRegistration(reply, outcome, `/v1/accounts/${id}/registrations`);
  });
}

function addRemove(app: App, context: Context): void {
  const route = operation('admin', {
    operationId: 'removeAccountRegistration',
    summary: 'Remove an address of an account',
    tag,
    params: Params,
    response: { 204: noContent('Removed; effective from the next query') },
    problems: ['not_found'],
  });
  app.delete('/v1/accounts/:id/registrations/:rid', route, async (request, reply) => {
    const { id, rid } = request.params;
    if (!(await context.registry.removeRegistration(id, rid))) throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}
