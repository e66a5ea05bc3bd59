import type { Io } from '../command.ts';
import { UsageError } from '../command.ts';
import type { InitFlags } from './flags.ts';

/** Facts that only the operator knows. */
export interface Answers {
  readonly domain: string;
  readonly email: string | null;
}

const DOMAIN = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** Takes the answers from the flags, and asks for the others. @throws UsageError where nobody can be asked */
export async function readAnswers(flags: InitFlags, ask: Io['ask']): Promise<Answers> {
  const given = flags.domain ?? (await ask?.('Domain of this service, such as dns.example.com: '));
  if (given === undefined) throw new UsageError('expected --domain with the name of this service');
  const domain = given.trim().toLowerCase().replace(/\.$/, '');
  if (!DOMAIN.test(domain)) {
    throw new UsageError(
      `expected --domain with a name such as dns.example.com, found ${JSON.stringify(given)}`,
    );
  }
  const mail =
    flags.email ?? (flags.yes ? '' : ((await ask?.('Mail address for the CA (empty: none): ')) ?? ''));
  const email = mail.trim() === '' ? null : mail.trim();
  if (email !== null && !EMAIL.test(email)) throw new UsageError('expected --email with a mail address');
  return { domain, email };
}
