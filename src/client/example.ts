/**
 * Example of an operator's backend: creates an account at the subscription, suspends it when the customer stops paying,
 * resumes it, and erases it on request. Each step is safe to repeat after a crash.
 */
import type { MediaStreamerClient } from './client.ts';

/** Maps customers to accounts: a column of the backend's database. */
export interface Customers {
  accountOf(customer: string): Promise<string | null>;
  keep(customer: string, accountId: string): Promise<void>;
  forget(customer: string): Promise<void>;
}

export class Subscriptions {
  private readonly client: MediaStreamerClient;
  private readonly customers: Customers;

  constructor(client: MediaStreamerClient, customers: Customers) {
    this.client = client;
    this.customers = customers;
  }

  /** Call when the customer has paid, for the first time or again. */
  async subscribe(customer: string, region: string): Promise<void> {
    const known = await this.customers.accountOf(customer);
    if (known !== null && (await this.client.resumeAccount(known)) !== null) return;
    // Keyed by customer: if the backend crashes before it stores the id, the next try finds the same account.
    const { id } = await this.client.createAccount({ region }, { idempotencyKey: `subscribe-${customer}` });
    await this.customers.keep(customer, id);
  }

  /** Call when the customer has not paid: their devices are not served, and their settings stay. */
  async lapse(customer: string): Promise<void> {
    const id = await this.customers.accountOf(customer);
    if (id !== null) await this.client.suspendAccount(id);
  }

  /** Call when the customer asks to be forgotten. */
  async erase(customer: string): Promise<void> {
    const id = await this.customers.accountOf(customer);
    if (id === null) return;
    await this.client.eraseAccount(id);
    await this.customers.forget(customer);
  }

  /** Returns the target of a "DNS settings" button on your site. Redirect at once: the link ends after 5 minutes. */
  async settingsUrl(customer: string): Promise<string | null> {
    const id = await this.customers.accountOf(customer);
    if (id === null) return null;
    return (await this.client.createSignInLink(id)).url;
  }
}
