import { randomUUID } from 'node:crypto';
import { MediaStreamerError } from './error.ts';
import { type Call, HttpTransport, type Transport } from './transport.ts';
import type {
  Account,
  AccountChange,
  AccountFields,
  NewAccount,
  Registration,
  RegistrationFields,
  Repeatable,
  SignInLink,
} from './types.ts';

export interface ClientOptions {
  /** The control API, such as `https://dns.example.net`. */
  url: string;
  adminKey: string;
  /** How long one attempt may take. 10,000. */
  timeoutMs?: number;
  /** How often a call that was not answered, or by 503, is made again. 3. */
  retries?: number;
  /** In place of Node's own. */
  fetch?: typeof fetch;
}

/**
 * The operator's calls. Each may be made again: what was not answered, or by 503, is repeated by itself, and POSTs carry
 * an idempotency key. What the API refuses is a MediaStreamerError; what does not exist is null or false.
 */
export class MediaStreamerClient {
  private readonly transport: Transport;

  constructor(options: ClientOptions) {
    this.transport = new HttpTransport(options);
  }

  /** A repeat with the same key gives the same account, with a fresh secret. */
  createAccount(fields: AccountFields = {}, repeatable: Repeatable = {}): Promise<NewAccount> {
    return this.post('/v1/accounts', { ...fields }, repeatable);
  }

  /** All accounts, in an order that does not change. */
  async *listAccounts(): AsyncGenerator<Account, void, undefined> {
    let after: string | null = null;
    do {
      const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
      const page: { accounts: Account[]; next: string | null } = await this.transport.call({
        method: 'GET',
        path: `/v1/accounts?limit=1000${query}`,
      });
      yield* page.accounts;
      after = page.next;
    } while (after !== null);
  }

  getAccount(id: string): Promise<Account | null> {
    return this.orNull({ method: 'GET', path: accountPath(id) });
  }

  updateAccount(id: string, change: AccountChange): Promise<Account | null> {
    return this.orNull({ method: 'PATCH', path: accountPath(id), body: { ...change } });
  }

  /** Its addresses are kept, and not served from the next query on. */
  suspendAccount(id: string): Promise<Account | null> {
    return this.updateAccount(id, { suspended: true });
  }

  /** Its addresses are served again. */
  resumeAccount(id: string): Promise<Account | null> {
    return this.updateAccount(id, { suspended: false });
  }

  /** Erases everything about it, everywhere. False: there is none. */
  async eraseAccount(id: string): Promise<boolean> {
    return (await this.orNull({ method: 'DELETE', path: accountPath(id) })) !== null;
  }

  /** A new secret; the old one ends, and all sessions with it. */
  async rotateSecret(id: string): Promise<string> {
    const { secret } = await this.post<{ secret: string }>(`${accountPath(id)}/secret`, {}, {});
    return secret;
  }

  /** Where to send a person who is signed in with you: it signs them in to the DNS Settings page, once. */
  createSignInLink(id: string): Promise<SignInLink> {
    return this.post(`${accountPath(id)}/sign-in-links`, {}, {});
  }

  async listRegistrations(id: string): Promise<Registration[] | null> {
    const path = `${accountPath(id)}/registrations`;
    const held = await this.orNull<{ registrations: Registration[] }>({ method: 'GET', path });
    return held === null ? null : held.registrations;
  }

  /** Registers any address. One that is there already is renewed. */
  register(id: string, fields: RegistrationFields, repeatable: Repeatable = {}): Promise<Registration> {
    return this.post(`${accountPath(id)}/registrations`, { ...fields }, repeatable);
  }

  async removeRegistration(id: string, registrationId: string): Promise<boolean> {
    const path = `${accountPath(id)}/registrations/${encodeURIComponent(registrationId)}`;
    return (await this.orNull({ method: 'DELETE', path })) !== null;
  }

  private post<T>(path: string, body: object, { idempotencyKey = randomUUID() }: Repeatable): Promise<T> {
    return this.transport.call({ method: 'POST', path, body, idempotencyKey });
  }

  private async orNull<T>(call: Call): Promise<T | null> {
    try {
      return await this.transport.call<T>(call);
    } catch (error) {
      if (error instanceof MediaStreamerError && error.code === 'not_found') return null;
      throw error;
    }
  }
}

function accountPath(id: string): string {
  return `/v1/accounts/${encodeURIComponent(id)}`;
}
