import type { CounterBlock } from '../metrics/index.ts';
import type { Prefix } from '../net/index.ts';
import type { Registry } from '../registry/index.ts';

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
>;

/** A service of the catalogue as accounts may choose a region for it. */
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

export interface ControlOptions {
  registry: ControlRegistry;
  /** Must not be empty. */
  adminKey: string;
  /** Peers whose X-Forwarded-For is believed. */
  trustedProxies: readonly Prefix[];
  /** The regions that are configured now; asked on every call, so that a reload holds at once. */
  regions(): readonly string[];
  /** The catalogue's services as they are now; asked on every call. */
  services(): readonly ControlService[];
  /** Where people reach this API, e.g. `https://dns.example.net`. */
  publicUrl: string;
  /** Further URLs of the same API, e.g. those of one address family. */
  otherUrls?: readonly string[];
  /** The release, for the API's description. */
  version: string;
  logger: ControlLogger;
  /** Milliseconds. */
  now: () => number;
  counters?: ControlCounters;
  authentication?: Partial<AuthenticationLimits>;
}
