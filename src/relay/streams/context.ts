import type { RelayContext } from '../context.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { Client } from './client.ts';

/** What the connections of an engine on the event loop work with. */
export interface StreamContext {
  readonly relay: RelayContext;
  readonly resolver: OriginResolver;
  readonly clients: Set<Client>;
  /** The clock of the cache's entries, in ms. */
  now(): number;
}
