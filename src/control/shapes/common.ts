import { type TString, Type } from 'typebox';

/**
 * Building blocks of the API's shapes. A shape is the one source for input checks, handler types, /openapi.json and
 * the typed client. `expected` is the wording of an error; a shape with a `title` is a shared component of the
 * description.
 */

/** No fields besides those that are named. */
export const closed = { additionalProperties: false } as const;

export const time = (description: string): TString => Type.String({ format: 'date-time', description });

/** A time that is kept to the day. */
export const day = (description: string): TString =>
  Type.String({ format: 'date-time', description: `${description}: a day, as its first moment in UTC` });

export const textOrNull = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

export const RegionName = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'A configured region, such as `us`',
  expected: 'the name of a region',
});

/** Rejects control characters, line separators, lone surrogates and changes of text direction. */
const LABEL_PATTERN = '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u202a-\\u202e\\u2066-\\u2069]{1,64}$';

export const Label = Type.String({
  pattern: LABEL_PATTERN,
  minLength: 1,
  maxLength: 64,
  description: 'A name that the person chose, such as `Living room`',
  expected: '1 to 64 characters, none of them a control character',
});

export const EmptyBody = Type.Object({}, closed);

export const NoQuery = Type.Object({}, closed);

/** Visible ASCII only (RFC 9110), so that every hash of a key sees the same bytes. */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description:
        'Repeating the call with the same key within a day creates nothing twice; a secret in the reply is a fresh one',
      expected: '1 to 255 visible ASCII characters',
    }),
  ),
});
