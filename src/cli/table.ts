import type { Command } from './command.ts';

/** A command's name and summary; its file is imported lazily. */
export interface TableEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Command that runs if the first argument is an option or missing. */
export const DEFAULT_COMMAND = 'serve';

export const COMMANDS: readonly TableEntry[] = [
  {
    name: 'serve',
    summary: 'run the roles of the configuration (the default)',
    load: async () => (await import('./serve.ts')).command,
  },
  {
    name: 'init',
    summary: 'set this host up under one domain: DNS, relay, page, certificate',
    load: async () => (await import('./init.ts')).command,
  },
  {
    name: 'check-config',
    summary: 'check a configuration and print a summary',
    load: async () => (await import('./check-config.ts')).command,
  },
  {
    name: 'account',
    summary: 'add, list, show and remove accounts; make sign-in links',
    load: async () => (await import('./account.ts')).command,
  },
  {
    name: 'explain',
    summary: 'show what an address is answered, and why',
    load: async () => (await import('./explain.ts')).command,
  },
  {
    name: 'relay',
    summary: 'show relays; drain them, or put them back',
    load: async () => (await import('./relay.ts')).command,
  },
  {
    name: 'catalog',
    summary: 'publish the catalog as a signed bundle; pin it, or roll it back',
    load: async () => (await import('./catalog.ts')).command,
  },
  {
    name: 'edge',
    summary: 'send homes to other edges before this one stops, or take them back',
    load: async () => (await import('./edge.ts')).command,
  },
  {
    name: 'check-service',
    summary: 'try the names of a service through a relay',
    load: async () => (await import('./check-service.ts')).command,
  },
  {
    name: 'registry',
    summary: 'verify a store on Redis and its edges, or adopt it after data loss',
    load: async () => (await import('./registry.ts')).command,
  },
  {
    name: 'export',
    summary: 'write all accounts of the store to a file',
    load: async () => (await import('./export.ts')).command,
  },
  {
    name: 'import',
    summary: 'read accounts from a file into an empty store',
    load: async () => (await import('./import.ts')).command,
  },
  {
    name: 'load',
    summary: 'query a DNS server at a constant rate and measure its answers',
    load: async () => (await import('./load.ts')).command,
  },
  {
    name: 'compile',
    summary: 'fill the cache of compiled code (npm start does so once)',
    load: async () => (await import('./compile.ts')).command,
  },
  {
    name: 'import-domains',
    summary: 'turn a v2fly domain list into a catalog file',
    load: async () => (await import('./import-domains.ts')).command,
  },
];
