import { Type } from 'typebox';
import { AccountShape } from './account.ts';
import { closed, textOrNull } from './common.ts';
import { HostnameShape } from './hostname.ts';
import { PrivateNameShape } from './private-name.ts';
import { RegistrationShape } from './registration.ts';
import { UpdateTokenShape } from './update-token.ts';

export const PageShape = Type.Object(
  {
    account: AccountShape,
    regions: Type.Array(Type.Object({ id: Type.String(), title: Type.String() }, closed)),
    services: Type.Array(
      Type.Object({ id: Type.String(), title: Type.String(), regions: Type.Array(Type.String()) }, closed),
    ),
    catalogVersion: Type.String({ description: 'Version of the list of services' }),
    caller: Type.Object(
      {
        address: Type.String({ description: 'The address that this call came from' }),
        family: Type.Unsafe<4 | 6>(Type.Integer({ minimum: 4, maximum: 6 })),
        scope: Type.String({ description: '`public`, `private`, `shared` (RFC 6598) and so on' }),
        registrable: Type.Boolean(),
        registrationId: textOrNull('The registration of that address'),
      },
      closed,
    ),
    registrations: Type.Array(RegistrationShape),
    updateTokens: Type.Array(UpdateTokenShape),
    hostnames: Type.Array(HostnameShape),
    privateNames: Type.Array(PrivateNameShape),
    privateNamesDomain: textOrNull('The domain of private names; null: there are none'),
    dnsAddresses: Type.Array(Type.String(), { description: 'DNS servers to enter on a device' }),
    familyUrls: Type.Object(
      {
        ipv4: textOrNull('This API over IPv4 only'),
        ipv6: textOrNull('This API over IPv6 only'),
      },
      closed,
    ),
    testZone: textOrNull("The zone of the self-test's names"),
    relayTest: Type.Boolean({
      description: 'The self-test also loads `X.relayed.TESTZONE`, which a relay carries',
    }),
  },
  { ...closed, title: 'Page' },
);
