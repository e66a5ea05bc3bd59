import type { FastifyRequest } from 'fastify';
import { type Address, parseAddress, parsePrefix } from '../net/index.ts';
import type { Account } from '../registry/index.ts';
import type { Context } from './context.ts';
import { badField, type FieldFault, ProblemError } from './problem.ts';
import { shownField } from './validation.ts';

const ADDRESS_EXPECTED = 'an IPv4 or IPv6 address';

/** The account that calls. For routes whose access is `account`. */
export function callingAccount(request: FastifyRequest): Account {
  const { principal } = request;
  if (principal?.kind !== 'account') throw new Error('a route of accounts was reached without one');
  return principal.account;
}

/** What a registration by this call counts as: the page's calls come with its session, or a ticket of one. */
export function sourceOf({ principal }: FastifyRequest): 'api' | 'page' {
  return principal?.kind === 'account' && principal.by !== 'secret' ? 'page' : 'api';
}

/** The call's idempotency key, as `{idempotencyKey}` or `{}`. */
export function idempotency(headers: { 'idempotency-key'?: string | string[] }): { idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? { idempotencyKey: key } : {};
}

/**
 * Reads an address, or what the API itself writes for one: `2001:db8:1:2::/64`.
 *
 * @throws Problem `bad_input`
 */
export function readAddress(text: string): Address {
  if (!text.includes('/')) {
    const address = parseAddress(text);
    if (address === null) throw badField('address', ADDRESS_EXPECTED);
    return address;
  }
  const prefix = parsePrefix(text);
  if (prefix === null || prefix.length !== (prefix.family === 4 ? 32 : 64)) {
    throw badField('address', ADDRESS_EXPECTED);
  }
  return { family: prefix.family, bytes: prefix.bytes };
}

/** @throws Problem `bad_input` if the region is not configured */
export function checkRegion(region: string | undefined, context: Pick<Context, 'regions'>): void {
  const regions = context.regions();
  if (region !== undefined && !regions.includes(region)) throw badField('region', oneOf(regions));
}

/**
 * Checks choices of regions by service against the catalog. A choice that the account has already may stay,
 * whatever became of the service, so that a client can send back what it read.
 *
 * @throws Problem `bad_input`, naming each field at fault
 */
export function checkServices(
  services: Record<string, string>,
  held: Record<string, string>,
  context: Context,
): void {
  const catalog = new Map(context.services().map((service) => [service.id, service]));
  const configured = new Set(context.regions());
  const errors: FieldFault[] = [];
  for (const [name, choice] of Object.entries(services)) {
    if (Object.hasOwn(held, name) && held[name] === choice) continue;
    const service = catalog.get(name);
    if (service === undefined) {
      errors.push({
        field: shownField(['services', name], 'services'),
        expected: 'a service of the catalog',
      });
      continue;
    }
    const choices = [...service.regions.filter((region) => configured.has(region)), 'off'];
    if (!choices.includes(choice)) errors.push({ field: `services.${name}`, expected: oneOf(choices) });
  }
  if (errors.length > 0) throw new ProblemError('bad_input', { errors: errors.slice(0, 10) });
}

function oneOf(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `one of ${names.join(', ')}`;
}
