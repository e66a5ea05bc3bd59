import type { Command } from './command.ts';

/** A command as the list shows it; its file is loaded when it is asked for. */
export interface TableEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** What runs where the first argument names no command. */
export const DEFAULT_COMMAND = 'serve';

export const COMMANDS: readonly TableEntry[] = [
  {
    name: 'serve',
    summary: 'run the roles of the configuration (the default)',
    load: async () => (await import('./serve.ts')).command,
  },
  {
    name: 'check-config',
    summary: 'check a configuration and its catalog, and sum them up',
    load: async () => (await import('./check-config.ts')).command,
  },
  {
    name: 'explain',
    summary: 'say what a question from an address would be answered, and why',
    load: async () => (await import('./explain.ts')).command,
  },
  {
    name: 'relay',
    summary: 'say how relays stand, take them out of the answers, and wait for their connections',
    load: async () => (await import('./relay.ts')).command,
  },
  {
    name: 'check-service',
    summary: "try a service's names through a relay, and say which answer",
    load: async () => (await import('./check-service.ts')).command,
  },
  {
    name: 'registry',
    summary: 'verify a store on Redis and its edges, or adopt one that lost data',
    load: async () => (await import('./registry.ts')).command,
  },
  {
    name: 'export',
    summary: 'write all accounts and registrations of the store to a file',
    load: async () => (await import('./export.ts')).command,
  },
  {
    name: 'import',
    summary: 'take the accounts and registrations of a file into an empty store',
    load: async () => (await import('./import.ts')).command,
  },
  {
    name: 'load',
    summary: 'ask a DNS server at an even rate and measure its answers',
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
