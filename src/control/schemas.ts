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
  description: 'What the person calls it, such as `Living room`',
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

export const UpdateTokenShape = Type.Object(
  { id: Type.String(), label: Type.String(), createdAt: time('When the token was made') },
  { ...closed, title: 'UpdateToken' },
);

export const NewUpdateTokenShape = Type.Object(
  {
    id: Type.String(),
    label: Type.String(),
    createdAt: time('When the token was made'),
    token: Type.String({ description: 'The password of the router. It is shown this once and not kept.' }),
  },
  { ...closed, title: 'NewUpdateToken' },
);

export const UpdateTokenListShape = Type.Object(
  { updateTokens: Type.Array(UpdateTokenShape) },
  { ...closed, title: 'UpdateTokenList' },
);

export const HostnameShape = Type.Object(
  {
    id: Type.String(),
    hostname: Type.String(),
    state: Type.Enum(['waiting', 'followed', 'empty', 'not-public', 'too-many', 'failing'], {
      description:
        'How it went when the name was last looked up: `empty` it has no address, `not-public` none that may be ' +
        'registered, `too-many` more than the account may have, `failing` no answer: what was registered stays',
    }),
    createdAt: time('When the name was added'),
    checkedAt: Type.Union([time('When the name was last looked up'), Type.Null()]),
  },
  { ...closed, title: 'Hostname' },
);

export const HostnameListShape = Type.Object(
  { hostnames: Type.Array(HostnameShape) },
  { ...closed, title: 'HostnameList' },
);

export const TicketShape = Type.Object(
  {
    ticket: Type.String({ description: 'A key for one `POST /v1/registrations`, within a minute' }),
    expiresAt: time('When the ticket ends'),
  },
  { ...closed, title: 'Ticket' },
);

export const SignInLinkShape = Type.Object(
  {
    url: Type.String({
      format: 'uri',
      description: 'Where to send the person. Opening it uses nothing up: the button there does, once.',
    }),
    expiresAt: time('When the link ends'),
  },
  { ...closed, title: 'SignInLink' },
);

const orNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

export const PageShape = Type.Object(
  {
    account: AccountShape,
    regions: Type.Array(Type.Object({ id: Type.String(), title: Type.String() }, closed)),
    services: Type.Array(
      Type.Object({ id: Type.String(), title: Type.String(), regions: Type.Array(Type.String()) }, closed),
    ),
    caller: Type.Object(
      {
        address: Type.String({ description: 'The address that this call came from' }),
        family: Type.Integer({ minimum: 4, maximum: 6 }),
        scope: Type.String({ description: '`public`, `private`, `shared` (RFC 6598) and so on' }),
        registrable: Type.Boolean(),
        registrationId: orNull('The registration of that address'),
      },
      closed,
    ),
    registrations: Type.Array(RegistrationShape),
    updateTokens: Type.Array(UpdateTokenShape),
    hostnames: Type.Array(HostnameShape),
    dnsAddresses: Type.Array(Type.String(), { description: 'What to type into a device' }),
    familyUrls: Type.Object(
      { ipv4: orNull('This API by IPv4 alone'), ipv6: orNull('This API by IPv6 alone') },
      closed,
    ),
    testZone: orNull("The zone of the self-test's names"),
  },
  { ...closed, title: 'Page' },
);

export const AccountExportShape = Type.Object(
  {
    version: Type.Integer(),
    exportedAt: time('When this was put together'),
    account: AccountShape,
    registrations: Type.Array(RegistrationShape),
    updateTokens: Type.Array(UpdateTokenShape),
    hostnames: Type.Array(HostnameShape),
    sessions: Type.Array(
      Type.Object(
        { createdAt: time('When it was signed in'), expiresAt: time('When the session ends') },
        closed,
      ),
      { description: 'Where the account is signed in to the page' },
    ),
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

const Secret = Type.String({ minLength: 1, maxLength: 256, expected: 'text of 1 to 256 characters' });

/** One of the two: the handler sees to it. */
export const SessionBody = Type.Object(
  {
    secret: Type.Optional({ ...Secret, description: "The account's secret" }),
    link: Type.Optional({ ...Secret, description: 'What stands behind the # of a sign-in link' }),
  },
  closed,
);

export const UpdateTokenBody = Type.Object({ label: Label }, closed);

export const HostnameBody = Type.Object(
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

export const UpdateTokenParams = Type.Object({ id: Type.String({ description: "The token's id" }) });

export const HostnameParams = Type.Object({ id: Type.String({ description: "The host name's id" }) });

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
