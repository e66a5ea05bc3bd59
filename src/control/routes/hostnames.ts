import { Type } from 'typebox';
import type { Address } from '../../net/index.ts';
import { checkHostname, type Registration } from '../../registry/index.ts';
import { callerAddress, isSameHome, registeredText } from '../caller.ts';
import type { App, Context } from '../context.ts';
import { callingAccount } from '../input.ts';
import { noContent, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { closed } from '../shapes/common.ts';
import { HostnameShape } from '../shapes/hostname.ts';

const tag = 'Routers';

/** A new name is looked up again after this time, then by its TTL. */
const AGAIN_MS = 60_000;

const AddBody = Type.Object(
  {
    hostname: Type.String({
      minLength: 1,
      maxLength: 254,
      description: 'The name that the router keeps up to date',
      examples: ['home.example.net'],
      expected: 'a whole host name, such as home.example.net',
    }),
  },
  closed,
);

const HostnameParams = Type.Object({ id: Type.String({ description: "The host name's id" }) });

const HostnameListShape = Type.Object(
  { hostnames: Type.Array(HostnameShape) },
  { ...closed, title: 'HostnameList' },
);

/** An account's calls about the DDNS names that are followed for it. */
export function hostnamesRoutes(app: App, context: Context): void {
  addList(app, context);
  addAdd(app, context);
  addRemove(app, context);
}

function addList(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'listHostnames',
    summary: 'List the host names that are followed for me',
    tag,
    response: { 200: HostnameListShape },
    problems: ['not_found'],
  });
  app.get('/v1/hostnames', route, async (request) => {
    const stored = await context.registry.readAccount(callingAccount(request).id);
    if (stored === null) throw new ProblemError('not_found');
    return { hostnames: stored.hostnames };
  });
}

function addAdd(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'addHostname',
    summary: 'Follow a host name',
    description:
      'Registers all addresses of the name, and gives each up when the name no longer has it. The name must point at the ' +
      'address that the call comes from, or at one that the account has registered as seen (one family is enough, IPv6 ' +
      'by its /64). A name that is followed already answers 200.',
    tag,
    body: AddBody,
    response: {
      200: { ...HostnameShape, description: 'It is followed already' },
      201: { ...HostnameShape, headers: { Location: { type: 'string' } } },
    },
    problems: ['bad_forwarded_for', 'not_found', 'hostname_not_yours', 'too_many_hostnames'],
  });
  app.post('/v1/hostnames', route, async (request, reply) => {
    const { registry, lookUpHost } = context;
    const { id } = callingAccount(request);
    const caller = callerAddress(request.raw, context.trustedProxies);
    const name = checkHostname(request.body.hostname);
    const { addresses, families } = await lookUpHost(name);
    const pointsHere = addresses.some((address) => isSameHome(address, caller));
    const stored = await registry.readAccount(id);
    const isFollowed = stored?.hostnames.some(({ hostname }) => hostname === name) ?? false;
    // The page shows its other address family by a ticket, which registers it as seen.
    const isSeen = addresses.some((address) => hasSeen(stored?.registrations ?? [], address));
    if (!pointsHere && !isFollowed && !isSeen) throw new ProblemError('hostname_not_yours');
    const { outcome, hostname } = await registry.hostnames.add(id, name);
    if (pointsHere) {
      const due = { accountId: id, id: hostname.id, hostname: name };
      await registry.hostnames.settle(due, {
        addresses,
        families,
        nextAtMs: context.now() + AGAIN_MS,
        seen: caller,
      });
    }
    if (outcome === 'created') reply.code(201).header('location', `/v1/hostnames/${hostname.id}`);
    const settled = (await registry.readAccount(id))?.hostnames.find((one) => one.id === hostname.id);
    return settled ?? hostname;
  });
}

function hasSeen(registrations: readonly Registration[], address: Address): boolean {
  const text = registeredText(address);
  return registrations.some((one) => one.evidence === 'seen' && one.address === text);
}

function addRemove(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'removeHostname',
    summary: 'Stop following a host name',
    tag,
    params: HostnameParams,
    response: { 204: noContent('Removed, together with the addresses that it registered') },
    problems: ['not_found'],
  });
  app.delete('/v1/hostnames/:id', route, async (request, reply) => {
    const { id } = callingAccount(request);
    if (!(await context.registry.hostnames.remove(id, request.params.id)))
      throw new ProblemError('not_found');
    return reply.code(204).send(null);
  });
}
