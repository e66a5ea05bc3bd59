import type { CounterBlock } from '../metrics/index.ts';
import type { Prefix } from '../net/index.ts';
import type { Hostnames, Passes, Registry, UpdateTokens } from '../registry/index.ts';

/** What the API asks of the registry; tests hand in less than a whole one. */
export type ControlRegistry = Pick<
  Registry,
  | 'createAccount'
  | 'listAccounts'
  | 'getAccount'
  | 'authenticate'
  | 'updateAccount'
  | 'rotateSecret'
  | 'deleteAccount'
  | 'exportAccount'
  | 'register'
  | 'listRegistrations'
  | 'removeRegistration'
  | 'readAccount'
  | 'isRegistrable'
  | 'renewDaily'
> & {
  readonly passes: Pick<Passes, 'make' | 'session' | 'take' | 'endSession'>;
  readonly updateTokens: Pick<UpdateTokens, 'create' | 'remove' | 'authenticate'>;
  readonly hostnames: Pick<Hostnames, 'add' | 'remove'>;
};

/** A service of the catalog as accounts may choose a region for it. */
export interface ControlService {
  id: string;
  title: string;
  /** Region names that the service may be taken from. */
  regions: readonly string[];
}

/** pino's shape. What is given to it never holds anything that a client sent. */
export interface ControlLogger {
  error(fields: object, message: string): void;
}

/** Where replies and wrong keys are counted. */
export type ControlCounters = Pick<CounterBlock, 'increment'>;

export interface AuthenticationLimits {
  /** Wrong keys that a source (an IPv4 address, an IPv6 /64) may try in a window before the answer is 429. */
  failures: number;
  windowSeconds: number;
  /** Sources remembered at once; the one unheard of for longest is forgotten first. */
  sources: number;
}

export const DEFAULT_AUTHENTICATION_LIMITS: AuthenticationLimits = {
  failures: 10,
  windowSeconds: 60,
  sources: 10_000,
};

export interface UpdateLimits {
  /** Updates by dyndns2 that an account may make in a window before the answer is `abuse`. */
  updates: number;
  windowSeconds: number;
  /** Accounts remembered at once. */
  accounts: number;
}

/** A router asks every few minutes, and some ask for each of their names and families. */
export const DEFAULT_UPDATE_LIMITS: UpdateLimits = { updates: 60, windowSeconds: 600, accounts: 10_000 };

export interface ControlOptions {
  registry: ControlRegistry;
  /** Must not be empty. */
  adminKey: string;
  /** Peers whose X-Forwarded-For is believed. */
  trustedProxies: readonly Prefix[];
  /** The regions that are configured now; asked on every call, so that a reload holds at once. */
  regions(): readonly string[];
  /** The catalog's services as they are now; asked on every call. */
  services(): readonly ControlService[];
  /** Where people reach this API, e.g. `https://dns.example.net`. */
  publicUrl: string;
  /** The same API by one address family, where it is served so. */
  familyUrls?: { readonly ipv4: string | null; readonly ipv6: string | null };
  /** What the page tells people to type into their devices. */
  dnsAddresses?: readonly string[];
  /** The zone of the self-test's names, for which the edges give our address. */
  testZone?: string | null;
  /** The release, for the API's description. */
  version: string;
  logger: ControlLogger;
  /** Milliseconds. */
  now: () => number;
  counters?: ControlCounters;
  authentication?: Partial<AuthenticationLimits>;
  updates?: Partial<UpdateLimits>;
}
