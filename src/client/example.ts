/**
 * How an operator's backend uses the client: an account when somebody subscribes, suspended when they stop paying, back
 * when they pay again, erased when they ask for it. Each step may be repeated after a crash.
 */
import type { MediaStreamerClient } from './client.ts';

/** Where the backend keeps which customer has which account: a column of its own database. */
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

  /** The customer has paid: for the first time, or again. */
  async subscribe(customer: string, region: string): Promise<void> {
    const known = await this.customers.accountOf(customer);
    if (known !== null && (await this.client.resumeAccount(known)) !== null) return;
    // The key is the customer's own: if the backend dies before it has kept the id, the next try finds the same account.
    const { id } = await this.client.createAccount({ region }, { idempotencyKey: `subscribe-${customer}` });
    await this.customers.keep(customer, id);
  }

  /** The customer has not paid: their devices are not served, and nothing that they set up is lost. */
  async lapse(customer: string): Promise<void> {
    const id = await this.customers.accountOf(customer);
    if (id !== null) await this.client.suspendAccount(id);
  }

  /** The customer asks to be forgotten. */
  async erase(customer: string): Promise<void> {
    const id = await this.customers.accountOf(customer);
    if (id === null) return;
    await this.client.eraseAccount(id);
    await this.customers.forget(customer);
  }

  /** For the button "DNS settings" on the customer's own page of your site. Redirect to it at once: it lasts 5 minutes. */
  async settingsUrl(customer: string): Promise<string | null> {
    const id = await this.customers.accountOf(customer);
    if (id === null) return null;
    return (await this.client.createSignInLink(id)).url;
  }
}
