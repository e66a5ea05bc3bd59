import type { ServerOptions } from 'node:http';
import type { CounterBlock } from '../metrics/index.ts';
import type { Prefix } from '../net/index.ts';
import type { Credentials, Hostnames, PrivateNames, Registry, UpdateTokens } from '../registry/index.ts';
import type { HostnameAnswer } from './hostname-follower.ts';

/** The part of the registry that the API uses. */
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
  | 'relabelRegistration'
  | 'lapsingAccounts'
  | 'readAccount'
  | 'isRegistrable'
  | 'renewDaily'
> & {
  readonly credentials: Pick<Credentials, 'make' | 'session' | 'redeem' | 'endSession'>;
  readonly updateTokens: Pick<UpdateTokens, 'create' | 'remove' | 'authenticate'>;
  readonly hostnames: Pick<Hostnames, 'add' | 'remove' | 'settle'>;
  readonly privateNames: Pick<PrivateNames, 'create' | 'renew' | 'change' | 'remove' | 'claim'>;
};

/** A catalog service for which accounts may choose a region. */
export interface ControlService {
  id: string;
  title: string;
  /** Regions in which the service is available. */
  regions: readonly string[];
}

/** The part of pino that is used. Fields never hold anything that a client sent. */
export interface ControlLogger {
  error(fields: object, message: string): void;
}

/** Counters of replies and wrong keys. */
export type ControlCounters = Pick<CounterBlock, 'increment'>;

export interface AuthenticationLimits {
  /** Wrong keys per window and source (IPv4 address or IPv6 /64) before the answer is 429. */
  failures: number;
  windowSeconds: number;
  /** Sources remembered at once; the least recently seen is forgotten first. */
  sources: number;
}

export const DEFAULT_AUTHENTICATION_LIMITS: AuthenticationLimits = {
  failures: 10,
  windowSeconds: 60,
  sources: 10_000,
};

export interface UpdateLimits {
  /** dyndns2 updates per window and account before the answer is `abuse`. */
  updates: number;
  windowSeconds: number;
  /** Accounts remembered at once. */
  accounts: number;
}

/** Routers update every few minutes, some of them once for each name and family. */
export const DEFAULT_UPDATE_LIMITS: UpdateLimits = { updates: 60, windowSeconds: 600, accounts: 10_000 };

export interface ChangeLimits {
  /** Changes per window and account before the answer is 429. */
  changes: number;
  windowSeconds: number;
  /** Accounts remembered at once. */
  accounts: number;
}

/** A person makes a few changes a minute, a script that sets a home up some dozens. */
export const DEFAULT_CHANGE_LIMITS: ChangeLimits = { changes: 300, windowSeconds: 60, accounts: 10_000 };

export interface ConnectionLimits {
  /** Connections of all listeners together. */
  connections: number;
  /** Connections of a peer (IPv4 address or IPv6 /64) that is not a trusted proxy. */
  connectionsPerSource: number;
}

/** An operator's backend may make a few hundred calls at once. */
export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = { connections: 4096, connectionsPerSource: 256 };

/** Limits of every HTTP server for slow and silent clients. */
export const HTTP_OPTIONS: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // HttpLimits gives trusted proxies longer.
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 5000,
  maxHeaderSize: 16_384,
};

/** The parts of the self-test that its names' certificate covers. */
export interface SelfTest {
  /** False: the page offers no check. */
  readonly isAvailable: boolean;
  /** True: the page also loads a name that a relay carries. */
  readonly isRelayed: boolean;
}

export interface ControlOptions {
  registry: ControlRegistry;
  /** Looks a host name up, bypassing the cache; an account may add a name that points at its address only. */
  lookUpHost(hostname: string): Promise<HostnameAnswer>;
  /** Returns the SHA-256 digests of the operator's keys, one at least; asked on every call. */
  adminKeys(): readonly Uint8Array[];
  /** Proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly Prefix[];
  /** Returns the configured regions; asked on every call, so that a reload is effective at once. */
  regions(): readonly string[];
  /** Returns the catalog's services; asked on every call. */
  services(): readonly ControlService[];
  /** Returns the version of the catalog; asked on every call. */
  catalogVersion(): string;
  /** Public URL of this API, e.g. `https://dns.example.net`. */
  publicUrl: string;
  /** URLs of this API over one address family; null if there is none. */
  familyUrls?: { readonly ipv4: string | null; readonly ipv6: string | null };
  /** DNS servers that the page tells people to enter on their devices. */
  dnsAddresses?: readonly string[];
  /** Zone of the self-test's names; edges answer them with the API's address. */
  testZone?: string | null;
  /** Returns the parts of the self-test that can work now; by default all but the relayed name. */
  selfTest?(): SelfTest;
  /** Null: there are no private names. */
  privateNames?: {
    /** Names are TOKEN.DOMAIN for DNS over TLS, and https://DOMAIN/dns-query/TOKEN. */
    readonly domain: string;
    /** Key of edges in other processes, which report queries; empty: there are none. */
    readonly edgeKey: string;
  } | null;
  /** The release, for the API's description. */
  version: string;
  logger: ControlLogger;
  /** Milliseconds since 1970. */
  now: () => number;
  counters?: ControlCounters;
  authentication?: Partial<AuthenticationLimits>;
  updates?: Partial<UpdateLimits>;
  changes?: Partial<ChangeLimits>;
  connections?: Partial<ConnectionLimits>;
}
