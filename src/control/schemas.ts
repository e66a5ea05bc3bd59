import { Type } from 'typebox';

/**
 * The API's shapes: one source for the check of input, the handlers' types and /openapi.json. `expected` is the
 * wording of a fault; shapes with a `title` become shared components of the description.
 */

const closed = { additionalProperties: false } as const;
const time = (description: string) => Type.String({ format: 'date-time', description });

/** Longest text of an address that is looked at. */
const MAX_ADDRESS_LENGTH = 64;

export const RegionName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'A region that is configured, such as `us`',
  expected: 'the name of a region',
});

const PerAccount = Type.Integer({
  minimum: 1,
  maximum: 10_000,
  description: 'How many addresses the account may have at a time',
});

/** No control characters, line separators, lone surrogates or changes of direction. */
const LABEL_PATTERN = '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]{1,64}$';

const Label = Type.String({
  pattern: LABEL_PATTERN,
  minLength: 1,
  maxLength: 64,
  description: 'What the person calls this address, such as `Living room`',
  expected: '1 to 64 characters, none of them a control character',
});

const Services = Type.Unsafe<Record<string, string>>(
  Type.Object(
    {},
    {
      additionalProperties: Type.String({ maxLength: 64, expected: "one of the service's regions, or off" }),
      maxProperties: 256,
      description:
        'Where single services are watched from: service to region, or `off` for not at all. Services that are not ' +
        "named follow the account's region. The object given takes the place of the one held.",
      examples: [{ netflix: 'gb', hulu: 'off' }],
      expected: 'an object of services and regions',
    },
  ),
);

const accountFields = {
  id: Type.String(),
  region: RegionName,
  perAccount: PerAccount,
  createdAt: time('When the account was made'),
};

export const AccountShape = Type.Object(
  {
    ...accountFields,
    suspended: Type.Boolean({
      description: 'The addresses of a suspended account are kept, but not served',
    }),
    services: Services,
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

export const AccountPageShape = Type.Object(
  {
    accounts: Type.Array(AccountShape),
    next: Type.Union([Type.String(), Type.Null()], {
      description: '`after` of the next page; null on the last one',
    }),
  },
  { ...closed, title: 'AccountPage' },
);

export const SecretShape = Type.Object(
  { secret: Type.String({ description: 'The new key. The old one has ended.' }) },
  { ...closed, title: 'Secret' },
);

export const RegistrationShape = Type.Object(
  {
    id: Type.String(),
    address: Type.String({ description: 'An IPv4 address, or the /64 of an IPv6 address' }),
    label: Type.Union([Type.String(), Type.Null()]),
    source: Type.Enum(['api', 'page', 'dyndns2', 'hostname', 'admin'], {
      description: 'How the address was registered',
    }),
    createdAt: time('When the address was first registered'),
    expiresAt: time('When the lease ends; registering the address again renews it'),
  },
  { ...closed, title: 'Registration' },
);

export const RegistrationListShape = Type.Object(
  { registrations: Type.Array(RegistrationShape) },
  { ...closed, title: 'RegistrationList' },
);

export const AccountExportShape = Type.Object(
  {
    version: Type.Integer(),
    exportedAt: time('When this was put together'),
    account: AccountShape,
    registrations: Type.Array(RegistrationShape),
  },
  { title: 'AccountExport', description: 'All that is held about the account' },
);

export const IpShape = Type.Object(
  { address: Type.String({ description: 'The address that this call came from' }) },
  { ...closed, title: 'Ip' },
);

export const CreateAccountBody = Type.Object(
  { region: Type.Optional(RegionName), perAccount: Type.Optional(PerAccount) },
  closed,
);

export const UpdateAccountBody = Type.Object(
  {
    region: Type.Optional(RegionName),
    perAccount: Type.Optional(PerAccount),
    suspended: Type.Optional(
      Type.Boolean({ description: 'Suspended: its addresses are not served until it is false again' }),
    ),
  },
  closed,
);

export const UpdateOwnAccountBody = Type.Object(
  { region: Type.Optional(RegionName), services: Type.Optional(Services) },
  closed,
);

const registrationFields = {
  label: Type.Optional(Label),
  replace: Type.Optional(
    Type.Literal('oldest', {
      description: 'At the limit, the address that was renewed longest ago gives way',
      expected: '"oldest", or to be left out',
    }),
  ),
};

export const EmptyBody = Type.Object({}, closed);

export const RegisterBody = Type.Object(
  {
    address: Type.Optional(
      Type.String({
        maxLength: MAX_ADDRESS_LENGTH,
        description: 'The address that this call comes from, which is also what counts if this is left out',
        expected: 'an IPv4 or IPv6 address',
      }),
    ),
    ...registrationFields,
  },
  closed,
);

export const RegisterAnyBody = Type.Object(
  {
    address: Type.String({
      maxLength: MAX_ADDRESS_LENGTH,
      description: 'An IPv4 or IPv6 address; an IPv6 one stands for its /64',
      examples: ['203.0.113.7'],
      expected: 'an IPv4 or IPv6 address',
    }),
    ...registrationFields,
  },
  closed,
);

export const AccountParams = Type.Object({ id: Type.String({ description: "The account's id" }) });

export const RegistrationParams = Type.Object({ id: Type.String({ description: "The registration's id" }) });

export const AccountRegistrationParams = Type.Object({
  id: Type.String({ description: "The account's id" }),
  rid: Type.String({ description: "The registration's id" }),
});

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Accounts a page; 100' })),
    after: Type.Optional(
      Type.String({
        maxLength: 64,
        description: '`next` of the page before',
        expected: 'text of up to 64 characters',
      }),
    ),
  },
  closed,
);

export const NoQuery = Type.Object({}, closed);

/** RFC 9110's visible characters only, so that a key is the same bytes wherever it is hashed. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description:
        'Repeating the call with the same key within a day makes nothing twice; a secret in the reply is a fresh one',
      expected: '1 to 255 visible ASCII characters',
    }),
  ),
});

export const ProblemShape = Type.Object(
  {
    type: Type.String({ format: 'uri' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable: what programs should look at' }),
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          field: Type.String({ description: 'The field, or the part of the request, that is at fault' }),
          expected: Type.String(),
        }),
      ),
    ),
  },
  { title: 'Problem', description: 'A failure, by RFC 9457' },
);
