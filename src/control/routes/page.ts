import { type Address, formatAddress, scopeOf } from '../../net/index.ts';
import type { Registration } from '../../registry/index.ts';
import { callerAddress, registeredText } from '../caller.ts';
import type { App, Context } from '../context.ts';
import { callingAccount } from '../input.ts';
import { operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { regionTitle } from '../region-title.ts';
import { PageShape } from '../shapes/page.ts';

/** Returns everything that the page shows, in one call. */
export function pageRoutes(app: App, context: Context): void {
  const route = operation('account', {
    operationId: 'getPage',
    summary: 'Get everything that the page shows',
    description: 'Renews the lease of the address that the call comes from, once a day, if it is registered.',
    tag: 'Page',
    response: { 200: PageShape },
    problems: ['bad_forwarded_for', 'not_found'],
  });
  app.get('/v1/page', route, async (request) => {
    const { registry, familyUrls, dnsAddresses = [], testZone = null } = context;
    const { isAvailable, isRelayed } = context.selfTest?.() ?? { isAvailable: true, isRelayed: false };
    const { id } = callingAccount(request);
    const caller = callerAddress(request.raw, context.trustedProxies);
    const stored = await registry.readAccount(id);
    if (stored === null) throw new ProblemError('not_found');
    const { account, updateTokens, hostnames, privateNames } = stored;
    const { registrations, own } = await renew(context, id, stored.registrations, caller);
    return {
      account,
      ...choices(context),
      catalogVersion: context.catalogVersion(),
      caller: {
        address: formatAddress(caller),
        family: caller.family,
        scope: scopeOf(caller),
        registrable: registry.isRegistrable(caller),
        registrationId: own?.id ?? null,
      },
      registrations,
      updateTokens,
      hostnames,
      privateNames,
      privateNamesDomain: context.privateNames?.domain ?? null,
      dnsAddresses: [...dnsAddresses],
      familyUrls: { ipv4: familyUrls?.ipv4 ?? null, ipv6: familyUrls?.ipv6 ?? null },
      testZone: isAvailable ? testZone : null,
      relayTest: isRelayed,
    };
  });
}

async function renew(
  { registry }: Context,
  accountId: string,
  registrations: Registration[],
  caller: Address,
): Promise<{ registrations: Registration[]; own: Registration | undefined }> {
  const text = registeredText(caller);
  const own = registrations.find(({ address }) => address === text);
  const renewed = own && (await registry.renewDaily(accountId, own, caller));
  if (own === undefined || !renewed) return { registrations, own };
  return { registrations: registrations.map((one) => (one === own ? renewed : one)), own: renewed };
}

function choices({ regions, services }: Context) {
  const ids = regions();
  return {
    regions: ids.map((id) => ({ id, title: regionTitle(id) })),
    services: services().map(({ id, title, regions: offered }) => ({
      id,
      title,
      regions: offered.filter((region) => ids.includes(region)),
    })),
  };
}
