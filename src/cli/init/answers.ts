import { type Io, UsageError } from '../command.ts';
import type { InitFlags } from './flags.ts';
import { ObstacleError } from './obstacle.ts';

const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
/** Times that a question is asked. */
const TRIES = 3;
const TERMS_TIMEOUT_MS = 10_000;

/** Takes the domain from the flag, or asks for it. @throws UsageError where nobody can be asked */
export async function readDomain({ domain }: Pick<InitFlags, 'domain'>, ask: Io['ask']): Promise<string> {
  const expected = 'expected --domain with the name of this service, such as dns.example.com';
  return readAnswer({
    given: domain,
    question: 'Domain of this service, such as dns.example.com: ',
    expected,
    read(text) {
      const name = text.trim().toLowerCase().replace(/\.$/, '');
      return DOMAIN.test(name) ? name : undefined;
    },
    ask,
  });
}

/** Takes the mail address from the flag, or asks for it. @returns null: none @throws UsageError */
export async function readEmail({ email }: Pick<InitFlags, 'email'>, ask: Io['ask']): Promise<string | null> {
  if (email === undefined && ask === undefined) return null;
  return readAnswer({
    given: email,
    question: 'Mail address for the CA, which warns of trouble with the certificate (empty: none): ',
    expected: 'expected --email with a mail address',
    read(text) {
      const mail = text.trim();
      if (mail === '') return null;
      return EMAIL.test(mail) ? mail : undefined;
    },
    ask,
  });
}

interface Question<T> {
  /** Text of the flag. */
  readonly given: string | undefined;
  readonly question: string;
  readonly expected: string;
  /** Undefined: not an answer. */
  read(text: string): T | undefined;
  readonly ask: Io['ask'];
}

async function readAnswer<T>({ given, question, expected, read, ask }: Question<T>): Promise<T> {
  if (given === undefined && ask === undefined) throw new UsageError(expected);
  let text = given;
  for (let left = TRIES; left > 0; left--) {
    text = given ?? (await ask!(question));
    const value = read(text);
    if (value !== undefined) return value;
    if (given !== undefined) break;
  }
  throw new UsageError(`${expected}, found ${JSON.stringify(text)}`);
}

/**
 * Asks for agreement with the CA's terms and with what will be written.
 * @param directory URL of the CA's directory
 * @throws ObstacleError where the person does not agree, UsageError where nobody can be asked
 */
export async function askAgreement(directory: string, ask: Io['ask']): Promise<void> {
  if (ask === undefined) throw new UsageError('expected --yes, as there is no terminal to ask at');
  const terms = await termsOf(directory);
  const at = terms === null ? '' : ` (${terms})`;
  const agrees = await ask(`Do you agree to the terms of the CA ${new URL(directory).host}${at}? [y/N] `);
  if (!isYes(agrees, false)) {
    throw new ObstacleError('Without the CA’s agreement there is no certificate. Nothing was done.');
  }
  if (!isYes(await ask('Write the configuration and start the service? [Y/n] '), true)) {
    throw new ObstacleError('Nothing was done.');
  }
}

/** @param byDefault what an empty answer means */
export function isYes(text: string, byDefault: boolean): boolean {
  const answer = text.trim();
  return answer === '' ? byDefault : /^y(es)?$/i.test(answer);
}

/** URL of the CA's terms of service (RFC 8555, section 7.1.1); null: it names none, or does not answer. */
async function termsOf(directory: string): Promise<string | null> {
  try {
    const response = await fetch(directory, { signal: AbortSignal.timeout(TERMS_TIMEOUT_MS) });
    const { meta } = (await response.json()) as { meta?: { termsOfService?: unknown } };
    return typeof meta?.termsOfService === 'string' ? meta.termsOfService : null;
  } catch {
    return null;
  }
}
