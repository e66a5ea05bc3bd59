import { Type } from 'typebox';
import { closed, day, Label } from './common.ts';

/** Longest text that is parsed as an address. */
const MAX_ADDRESS_LENGTH = 64;

export const RegistrationShape = Type.Object(
  {
    id: Type.String(),
    address: Type.String({ description: 'An IPv4 address, or the /64 of an IPv6 address' }),
    label: Type.Union([Type.String(), Type.Null()]),
    source: Type.Enum(['api', 'page', 'dyndns2', 'hostname', 'private-name', 'admin'], {
      description: 'The way by which the address was registered',
    }),
    evidence: Type.Enum(['seen', 'told'], {
      description:
        '`seen`: a request came from the address, or the operator registered it. `told`: a followed host name moved ' +
        "there; it does not override another account's `seen` address",
    }),
    createdAt: day('First registration of the address'),
    expiresAt: day(
      'Last day of the lease, which registering the address again renews; it ends within six hours after that',
    ),
  },
  { ...closed, title: 'Registration' },
);

export const RegistrationListShape = Type.Object(
  { registrations: Type.Array(RegistrationShape) },
  { ...closed, title: 'RegistrationList' },
);

export const AddressText = Type.String({
  maxLength: MAX_ADDRESS_LENGTH,
  description: 'An IPv4 or IPv6 address; an IPv6 one stands for its /64',
  examples: ['203.0.113.7'],
  expected: 'an IPv4 or IPv6 address',
});

/** Fields that a registration takes besides its address. */
export const registrationFields = {
  label: Type.Optional(Label),
  replace: Type.Optional(
    Type.Literal('oldest', {
      description: 'At the limit, remove the address that was renewed longest ago',
      expected: '"oldest", or to be left out',
    }),
  ),
};
