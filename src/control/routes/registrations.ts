import { Type } from 'typebox';
import { callerAddress, isSameHome } from '../caller.ts';
import type { App, Context } from '../context.ts';
import { addPreflight } from '../cors.ts';
import { callingAccount, idempotency, readAddress, sourceOf } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { sendRegistration } from '../registration-reply.ts';
import { closed, IdempotencyHeaders, Label } from '../shapes/common.ts';
import {
  AddressText,
  RegistrationListShape,
  RegistrationShape,
  registrationFields,
} from '../shapes/registration.ts';

const tag = 'My addresses';

const RegisterBody = Type.Object(
  {
    address: Type.Optional({
      ...AddressText,
      description: 'The address that this call comes from; any other is refused',
    }),
    ...registrationFields,
  },
  closed,
);

const RelabelBody = Type.Object(
  { label: Type.Union([Label, Type.Null()], { description: 'null: no label' }) },
  closed,
);

const Params = Type.Object({ id: Type.String({ description: "The registration's id" }) });

/** An account's calls about its addresses. An account registers only the address it calls from. */
export function registrationsRoutes(app: App, context: Context): void {
  addList(app, context);
  addRegister(app, context);
  addRelabel(app, context);
  addRemove(app, context);
}

function addList(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'listRegistrations',
    summary: 'List my addresses',
    tag,
    response: { 200: RegistrationListShape },
    problems: ['not_found'],
  });
  app.get('/v1/registrations', route, async (request) => {
    const registrations = await context.registry.listRegistrations(callingAccount(request).id);
    if (registrations === null) throw new ProblemError('not_found');
    return { registrations };
  });
}

function addRegister(app: App, context: Context): void {
  const route = operation('ticket', {
    operationId: 'register',
    crossOrigin: true,
    summary: 'Register the address that I call from',
    description:
      'If it is registered already, its lease is renewed. The body is optional. Pages of the public URL may make this call ' +
      '(by a ticket, without cookies) and `GET /v1/ip` at the URLs of one address family (CORS).',
    tag,
    headers: IdempotencyHeaders,
    body: RegisterBody,
    response: {
      200: { ...RegistrationShape, description: 'It was there already; its lease is renewed' },
      201: { ...RegistrationShape, headers: { Location: { type: 'string' } } },
    },
    problems: [
      'bad_forwarded_for',
      'not_found',
      'address_not_yours',
      'too_many_addresses',
      'address_not_public',
      'idempotency_key_reused',
      'too_many_profiles',
    ],
  });
  addPreflight(app, '/v1/registrations', 'POST', context);
  app.post('/v1/registrations', route, async (request, reply) => {
    const caller = callerAddress(request.raw, context.trustedProxies);
    const { address: given, ...rest } = request.body;
    if (given !== undefined && !isSameHome(readAddress(given), caller))
      throw new ProblemError('address_not_yours');
    const outcome = await context.registry.register(callingAccount(request).id, {
      ...rest,
      address: caller,
      source: sourceOf(request),
      ...idempotency(request.headers),
    });
    return sendRegistration(reply, outcome, '/v1/registrations');
  });
}

function addRelabel(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'relabelRegistration',
    summary: 'Change the label of one of my addresses',
    tag,
    params: Params,
    body: RelabelBody,
    response: { 200: RegistrationShape },
    problems: ['not_found', 'label_is_hostname'],
  });
  app.patch('/v1/registrations/:id', route, async (request) => {
    const { id } = callingAccount(request);
    const changed = await context.registry.relabelRegistration(id, request.params.id, request.body.label);
    if (changed === null) throw new ProblemError('not_found');
    if (changed === 'hostname') throw new ProblemError('label_is_hostname');
    return changed;
  });
}

function addRemove(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'removeRegistration',
    summary: 'Remove one of my addresses',
    tag,
    params: Params,
    response: { 204: noContent('Removed; effective from the next query') },
    problems: ['not_found'],
  });
  app.delete('/v1/registrations/:id', route, async (request, reply) => {
    const isGone = await context.registry.removeRegistration(callingAccount(request).id, request.params.id);
    if (!isGone) throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}
