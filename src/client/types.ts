// Generated from the API's schemas by test/support/client-types.ts. Times are ISO 8601, UTC.

export interface Account {
  id: string;
  /** A configured region, such as `us`. */
  region: string;
  /** The most addresses that the account may have at a time. */
  perAccount: number;
  /** Creation: a day, as its first moment in UTC. */
  createdAt: string;
  /** The addresses of a suspended account are kept, but not served. */
  suspended: boolean;
  /** Regions of single services: service to region, or `off` for no relay. Services that are not named follow the account's region. The given object replaces the stored one. */
  services: Record<string, string>;
  /** Last registration, or the creation: a day, as its first moment in UTC. */
  activeAt: string;
  /** true: never erased for lack of use. */
  keep: boolean;
}

export interface NewAccount {
  id: string;
  /** A configured region, such as `us`. */
  region: string;
  /** The most addresses that the account may have at a time. */
  perAccount: number;
  /** Creation: a day, as its first moment in UTC. */
  createdAt: string;
  /** The account's key. It is shown this once and not kept. */
  secret: string;
}

export interface AccountFields {
  /** A configured region, such as `us`. */
  region?: string;
  /** The most addresses that the account may have at a time. */
  perAccount?: number;
}

export interface AccountChange {
  /** A configured region, such as `us`. */
  region?: string;
  /** The most addresses that the account may have at a time. */
  perAccount?: number;
  /** true: stop serving its addresses; false: serve them again. */
  suspended?: boolean;
  /** true: never erase it for lack of use (retention.lapsedDays). */
  keep?: boolean;
}

export interface Registration {
  id: string;
  /** An IPv4 address, or the /64 of an IPv6 address. */
  address: string;
  label: string | null;
  /** The way by which the address was registered. */
  source: 'api' | 'page' | 'dyndns2' | 'hostname' | 'private-name' | 'admin';
  /** `seen`: a request came from the address, or the operator registered it. `told`: a followed host name moved there; it does not override another account's `seen` address. */
  evidence: 'seen' | 'told';
  /** First registration of the address: a day, as its first moment in UTC. */
  createdAt: string;
  /** Last day of the lease, which registering the address again renews; it ends within six hours after that: a day, as its first moment in UTC. */
  expiresAt: string;
}

export interface RegistrationFields {
  /** An IPv4 or IPv6 address; an IPv6 one stands for its /64. */
  address: string;
  /** A name that the person chose, such as `Living room`. */
  label?: string;
  /** At the limit, remove the address that was renewed longest ago. */
  replace?: 'oldest';
  /** `seen` (default): you know that the address is the customer's. `told`: you have it from hearsay; it does not override another account's `seen` address, and UDP answers to it are limited. */
  evidence?: 'seen' | 'told';
}

export interface SignInLink {
  /** Send this to the person. Opening it does not use it up: the button on that page does. */
  url: string;
  /** End of the link. */
  expiresAt: string;
}
