import type { OpenConnection } from '../open-connection.ts';
import type { OriginResolver } from '../origin-resolver.ts';
import type { TakeOwn } from '../own-connection.ts';
import type { RelayContext } from '../relay-context.ts';

/** State that an engine's connections share. */
export interface StreamContext {
  readonly relay: RelayContext;
  readonly resolver: OriginResolver;
  readonly clients: ReadonlySet<OpenConnection>;
  opened(client: OpenConnection): void;
  ended(client: OpenConnection): void;
  /** Takes connections for names of our own. */
  readonly takeOwn: TakeOwn;
  /** Clock of the cache's entries, in ms. */
  now(): number;
}
