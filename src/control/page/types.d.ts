/** What the page knows: the shapes of the API's replies, and what it finds out by itself. */

export type Family = 4 | 6;

export interface Registration {
  id: string;
  /** An IPv4 address, or an IPv6 /64. */
  address: string;
  label: string | null;
  source: 'api' | 'page' | 'dyndns2' | 'hostname' | 'admin';
  createdAt: string;
  expiresAt: string;
}

export interface Service {
  id: string;
  title: string;
  /** Ids of the regions it may be watched from. */
  regions: string[];
}

export interface Hostname {
  id: string;
  hostname: string;
  createdAt?: string;
}

export interface UpdateToken {
  id: string;
  label: string;
  createdAt: string;
}

/** The one reply that has the token itself. */
export interface NewUpdateToken extends UpdateToken {
  token: string;
}

export interface Account {
  id: string;
  region: string;
  /** Service id to region id, or `off`. */
  services: Record<string, string>;
  perAccount: number;
  suspended: boolean;
}

/** `GET /v1/page`. */
export interface PageData {
  account: Account;
  regions: { id: string; title: string }[];
  services: Service[];
  caller: {
    address: string;
    family: Family;
    /** `public`, `private`, `shared` (100.64.0.0/10) and so on. */
    scope: string;
    registrable: boolean;
    registrationId: string | null;
  };
  registrations: Registration[];
  dnsAddresses: string[];
  familyUrls: { ipv4: string | null; ipv6: string | null };
  testZone: string | null;
  hostnames: Hostname[];
  updateTokens: UpdateToken[];
}

/** This network by one family: its address and where it is registered; no address where the family is not in use. */
export interface Way {
  family: Family;
  address: string | null;
  registration: Registration | null;
  /** The same API by this family alone, or null for the page's own origin. */
  url: string | null;
}

export type VerdictName = 'working' | 'unregistered' | 'elsewhere' | 'mixed' | 'partly' | 'unknown';

/** How many of the self-test's loads came through. */
export interface Tally {
  loads: number;
  reached: number;
  registered: number;
}
