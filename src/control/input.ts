import type { FastifyRequest } from 'fastify';
import { type Address, parseAddress, parsePrefix } from '../net/index.ts';
import type { Account } from '../registry/index.ts';
import type { Context } from './context.ts';
import { badField, type FieldError, ProblemError } from './problem.ts';
import { shownField } from './validation.ts';

const ADDRESS_EXPECTED = 'an IPv4 or IPv6 address';

/** Returns the calling account. For routes whose access is `account` or `ticket`. */
export function callingAccount(request: FastifyRequest): Account {
  const { principal } = request;
  if (principal?.kind !== 'account') throw new Error('a route for accounts was reached without an account');
  return principal.account;
}

/** Returns the source of a registration by this call: the page calls with a session or a ticket. */
export function sourceOf({ principal }: FastifyRequest): 'api' | 'page' {
  return principal?.kind === 'account' && principal.by !== 'secret' ? 'page' : 'api';
}

/** Returns the call's idempotency key as `{idempotencyKey}`, or `{}` without one. */
export function idempotency(headers: { 'idempotency-key'?: string | string[] }): { idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  return typeof key === 'string' ? { idempotencyKey: key } : {};
}

/**
 * Parses an address, or the /64 that the API writes for an IPv6 address: `2001:db8:1:2::/64`.
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
 * Checks regions chosen per service against the catalog. A choice that the account already has stays valid even if
 * the service has left the catalog, so that a client can send back what it read.
 *
 * @throws Problem `bad_input`, naming each wrong field
 */
export function checkServices(
  services: Record<string, string>,
  current: Record<string, string>,
  context: Context,
): void {
  const catalog = new Map(context.services().map((service) => [service.id, service]));
  const configured = new Set(context.regions());
  const errors: FieldError[] = [];
  for (const [name, choice] of Object.entries(services)) {
    if (Object.hasOwn(current, name) && current[name] === choice) continue;
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
