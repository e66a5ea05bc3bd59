import { Type } from 'typebox';
import { closed, day, RegionName } from './common.ts';

export const PerAccount = Type.Integer({
  minimum: 1,
  maximum: 10_000,
  description: 'The most addresses that the account may have at a time',
});

export const Services = Type.Unsafe<Record<string, string>>(
  Type.Object(
    {},
    {
      additionalProperties: Type.String({ maxLength: 64, expected: "one of the service's regions, or off" }),
      maxProperties: 256,
      description:
        'Regions of single services: service to region, or `off` for no relay. Services that are not named follow the ' +
        "account's region. The given object replaces the stored one.",
      examples: [{ netflix: 'gb', hulu: 'off' }],
      expected: 'an object of services and regions',
    },
  ),
);

const accountFields = {
  id: Type.String(),
  region: RegionName,
  perAccount: PerAccount,
  createdAt: day('Creation'),
};

export const AccountShape = Type.Object(
  {
    ...accountFields,
    suspended: Type.Boolean({
      description: 'The addresses of a suspended account are kept, but not served',
    }),
    services: Services,
    activeAt: day('Last registration, or the creation'),
    keep: Type.Boolean({ description: 'true: never erased for lack of use' }),
  },
  { ...closed, title: 'Account' },
);

export const NewAccountShape = Type.Object(
  {
    ...accountFields,
    secret: Type.String({ description: "The account's key. It is shown this once and not kept." }),
  },
  { ...closed, title: 'NewAccount' },
);

export const AccountParams = Type.Object({ id: Type.String({ description: "The account's id" }) });
