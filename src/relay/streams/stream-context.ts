import type { OpenConnection } from '../open-connection.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { RelayContext } from '../relay-context.ts';

/** What the connections of an engine on the event loop work with. */
export interface StreamContext {
  readonly relay: RelayContext;
  readonly resolver: OriginResolver;
  readonly clients: ReadonlySet<OpenConnection>;
  opened(client: OpenConnection): void;
  ended(client: OpenConnection): void;
  /** The clock of the cache's entries, in ms. */
  now(): number;
}
