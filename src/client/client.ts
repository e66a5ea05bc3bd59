import { randomUUID } from 'node:crypto';
import { MediaStreamerError } from './error.ts';
import { type Call, HttpTransport } from './transport.ts';
import type {
  Account,
  AccountChange,
  AccountFields,
  NewAccount,
  Registration,
  RegistrationFields,
  SignInLink,
} from './types.ts';

export interface ClientOptions {
  /** The control API, such as `https://dns.example.net`. */
  url: string;
  adminKey: string;
  /** Limit of one attempt; 10,000 by default. */
  timeoutMs?: number;
  /** Repeats of a call that got no answer, 503 or `too_many_changes`; 3 by default. */
  retries?: number;
  /** Replaces Node's fetch. */
  fetch?: typeof fetch;
}

export interface Repeatable {
  /** A repeat with the same key within a day creates nothing twice. Random by default: use the customer's id instead. */
  idempotencyKey?: string;
}

/**
 * The operator's calls. All are safe to repeat: POSTs carry an idempotency key, and the client itself repeats calls that
 * got no answer, 503 or `too_many_changes`. A refused call throws MediaStreamerError; an unknown id gives null or
 * false.
 */
export class MediaStreamerClient {
  private readonly transport: HttpTransport;

  constructor(options: ClientOptions) {
    this.transport = new HttpTransport(options);
  }

  /** Creates an account. A repeat with the same key returns the same account with a fresh secret. */
  createAccount(fields: AccountFields = {}, repeatable: Repeatable = {}): Promise<NewAccount> {
    return this.post('/v1/accounts', { ...fields }, repeatable);
  }

  /** Iterates over all accounts in a stable order. */
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

  /** Stops serving its addresses from the next query on, and keeps them. */
  suspendAccount(id: string): Promise<Account | null> {
    return this.updateAccount(id, { suspended: true });
  }

  /** Serves its addresses again. */
  resumeAccount(id: string): Promise<Account | null> {
    return this.updateAccount(id, { suspended: false });
  }

  /** Erases everything about it, everywhere. Returns false if there is no such account. */
  async eraseAccount(id: string): Promise<boolean> {
    return (await this.orNull({ method: 'DELETE', path: accountPath(id) })) !== null;
  }

  /** Creates a new secret. The old one ends, and all sessions with it. */
  async rotateSecret(id: string): Promise<string> {
    const { secret } = await this.post<{ secret: string }>(`${accountPath(id)}/secret`, {}, {});
    return secret;
  }

  /** Creates a link that signs a person in to the DNS Settings page, once. For people signed in to your own site. */
  createSignInLink(id: string): Promise<SignInLink> {
    return this.post(`${accountPath(id)}/sign-in-links`, {}, {});
  }

  async listRegistrations(id: string): Promise<Registration[] | null> {
    const path = `${accountPath(id)}/registrations`;
    const reply = await this.orNull<{ registrations: Registration[] }>({ method: 'GET', path });
    return reply === null ? null : reply.registrations;
  }

  /** Registers any address, or renews it. */
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
