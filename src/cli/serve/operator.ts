import type { Edge } from './edge.ts';
import type { OperatorRequest, RelayRequest } from './operator-socket.ts';
import type { RelayRole } from './relay.ts';
import type { RelayStatus } from './relay-status.ts';

/** What this process says of its relays. */
export interface RelayReply {
  /** As its edge sees them; empty where it is no edge. */
  readonly relays: readonly RelayStatus[];
  /** The relay that it is; null where it is none. */
  readonly own: {
    readonly region: string | null;
    readonly isDraining: boolean;
    readonly tunnels: number;
  } | null;
  /** Whether the request was about its own relay. */
  readonly isOwn: boolean;
  /** Addresses of relays that the request takes out of its edge's answers, or back into them. */
  readonly changed: readonly string[];
}

export type RelayAnswer = RelayReply | { readonly fault: string };

const RELAY_COMMANDS: readonly string[] = ['relay-status', 'relay-drain', 'relay-undrain'];

/** Does what an operator's command asks of a running process. */
export async function answerOperator(
  request: OperatorRequest,
  edge: Edge,
  relay: RelayRole | null,
): Promise<unknown> {
  if (request.command === 'explain') return edge.explain(request);
  return answerRelay(request, edge, relay);
}

async function answerRelay(
  { command, region, address }: RelayRequest,
  edge: Edge,
  relay: RelayRole | null,
): Promise<RelayAnswer> {
  if (!RELAY_COMMANDS.includes(command)) return { fault: 'a command that is not known' };
  if (command === 'relay-status') return reply(edge, relay, { isOwn: relay !== null, changed: [] });
  const isDrain = command === 'relay-drain';
  const isAnyOwn = region === null && address === null;
  if (isAnyOwn && relay === null) {
    return { fault: "no relay runs in this process: name one of its edge's by --relay or --region" };
  }
  const isOwn = relay !== null && (isAnyOwn || isMeant(relay, region, address));
  if (isOwn) await relay.setDraining(isDrain);
  const addresses = isAnyOwn ? relay!.addresses : address === null ? null : [address];
  const changed = edge.relayWatch?.drain({ region, addresses }, isDrain) ?? [];
  if (!isOwn && changed.length === 0) {
    return { fault: "neither the relay of this process nor one of its edge's is meant by that" };
  }
  return reply(edge, relay, { isOwn, changed });
}

/** A relay that was not told its region stands in none. */
function isMeant(relay: RelayRole, region: string | null, address: string | null): boolean {
  return (
    (region === null || relay.region === region) && (address === null || relay.addresses.includes(address))
  );
}

function reply(
  edge: Edge,
  relay: RelayRole | null,
  about: Pick<RelayReply, 'isOwn' | 'changed'>,
): RelayReply {
  const own = relay && { region: relay.region, isDraining: relay.isDraining, tunnels: relay.tunnels };
  return { relays: edge.relayWatch === null ? [] : edge.relayStatuses, own, ...about };
}
