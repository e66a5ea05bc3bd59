import { type OtherRelay, type RelayServer, startOther, startOurs } from './relays.ts';

const SERVER_PROCESSOR = 0;
export const LOAD_PROCESSOR = 1;
export const ORIGIN_PORT = 18_600;

/** Starts a relay on its processor: `ours` (epoll), `streams`, or another program. */
function start(kind: string): Promise<RelayServer> {
  if (kind === 'ours') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'epoll');
  if (kind === 'streams') return startOurs(SERVER_PROCESSOR, ORIGIN_PORT, 'streams');
  const port = ORIGIN_PORT + 1 + Math.floor(Math.random() * 300);
  return startOther(kind as OtherRelay, SERVER_PROCESSOR, ORIGIN_PORT, port);
}

/**
 * Measures each relay once a round, in turns, each in a fresh process.
 * @returns per relay and figure, a value a round
 */
export async function relayRounds<Figure extends string>(
  kinds: readonly string[],
  rounds: number,
  measure: (relay: RelayServer) => Promise<Readonly<Record<Figure, number>>>,
): Promise<Map<string, Record<Figure, number[]>>> {
  const figures = new Map(kinds.map((kind) => [kind, {} as Record<Figure, number[]>]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const relay = await start(kind);
      try {
        const measured = await measure(relay);
        const lists = figures.get(kind)!;
        for (const figure of Object.keys(measured) as Figure[]) {
          lists[figure] = [...(lists[figure] ?? []), measured[figure]];
        }
      } finally {
        await relay.stop();
      }
    }
  }
  return figures;
}
