/**
 * Generates src/client/types.ts from the API's schemas; `node test/support/client-types.ts` writes the file.
 * The client is packed alone, so its types cannot import the schemas.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RegisterForAccountBody } from '../../src/control/routes/account-registrations.ts';
import { CreateAccountBody, UpdateAccountBody } from '../../src/control/routes/accounts.ts';
import { SignInLinkShape } from '../../src/control/routes/sign-in-links.ts';
import { AccountShape, NewAccountShape } from '../../src/control/shapes/account.ts';
import { RegistrationShape } from '../../src/control/shapes/registration.ts';

export const CLIENT_TYPES_FILE = join(import.meta.dirname, '../../src/client/types.ts');

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

const TYPES: Readonly<Record<string, object>> = {
  Account: AccountShape,
  NewAccount: NewAccountShape,
  AccountFields: CreateAccountBody,
  AccountChange: UpdateAccountBody,
  Registration: RegistrationShape,
  RegistrationFields: RegisterForAccountBody,
  SignInLink: SignInLinkShape,
};

/** Returns the text of src/client/types.ts. */
export function clientTypes(): string {
  const interfaces = Object.entries(TYPES).map(([name, schema]) => interfaceOf(name, schema as Schema));
  return `// Generated from the API's schemas by test/support/client-types.ts. Times are ISO 8601, UTC.\n\n${interfaces.join('\n')}`;
}

function interfaceOf(name: string, { properties = {}, required = [] }: Schema): string {
  const fields = Object.entries(properties).map(([field, schema]) => {
    const comment =
      schema.description === undefined ? '' : `  /** ${schema.description}. */\n`.replace('.. */', '. */');
    return `${comment}  ${field}${required.includes(field) ? '' : '?'}: ${typeOf(schema)};\n`;
  });
  return `export interface ${name} {\n${fields.join('')}}\n`;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  if (schema.type === 'array') return `${typeOf(schema.items!)}[]`;
  if (schema.type === 'integer') return 'number';
  if (schema.type !== 'object') return schema.type!;
  return `Record<string, ${typeOf(schema.additionalProperties as Schema)}>`;
}

function literal(value: unknown): string {
  return `'${String(value)}'`;
}

if (import.meta.main) writeFileSync(CLIENT_TYPES_FILE, clientTypes());
