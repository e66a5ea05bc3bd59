/** An account: one customer's home, or homes. */
export interface Account {
  id: string;
  /** Where it watches from. */
  region: string;
  /** How many addresses it may have at a time. */
  perAccount: number;
  /** Its addresses are kept, and not served. */
  suspended: boolean;
  /** Service to region, or `off`: what its person chose for single services. */
  services: Record<string, string>;
  /** ISO 8601, UTC, as all times. */
  createdAt: string;
}

export interface NewAccount {
  id: string;
  /** Its key, shown this once: give it to the person, or let them in by sign-in links alone. */
  secret: string;
  region: string;
  perAccount: number;
  createdAt: string;
}

export interface AccountFields {
  region?: string;
  perAccount?: number;
}

export interface AccountChange extends AccountFields {
  suspended?: boolean;
}

export interface Registration {
  id: string;
  /** An IPv4 address, or an IPv6 /64. */
  address: string;
  label: string | null;
  source: 'api' | 'page' | 'dyndns2' | 'hostname' | 'admin';
  createdAt: string;
  /** The end of its lease, unless it is renewed. */
  expiresAt: string;
}

export interface RegistrationFields {
  address: string;
  label?: string;
  /** At the limit the address that was renewed longest ago gives way. */
  replace?: 'oldest';
}

export interface SignInLink {
  /** Signs a person in to the DNS Settings page, once. */
  url: string;
  /** Five minutes from now. */
  expiresAt: string;
}

export interface Repeatable {
  /** The same key within a day makes nothing twice: take one that is the customer's own. By default a random one. */
  idempotencyKey?: string;
}
