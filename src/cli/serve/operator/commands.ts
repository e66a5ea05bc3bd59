import type { KeeperState } from '../acme/index.ts';
import type { EdgeRole } from '../roles/edge.ts';
import type { RelayRole } from '../roles/relay.ts';
import type { RelayStatus } from '../tables/relay-status.ts';
import type { Tables } from '../tables/tables.ts';
import type { AccountAnswer } from './accounts.ts';
import type { ExplainReply } from './explainer.ts';
import type { AccountRequest, EdgeRequest, ExplainRequest, OperatorRequest, RelayRequest } from './socket.ts';

export interface RelayReply {
  /** Relays of this process's edge; empty on a process without one. */
  readonly relays: readonly RelayStatus[];
  /** The relay of this process; null on a process without one. */
  readonly own: {
    readonly region: string | null;
    readonly isDraining: boolean;
    readonly tunnels: number;
  } | null;
  /** True if the request was about this process's own relay. */
  readonly isOwn: boolean;
  /** Addresses of relays that the request took out of this edge's answers, or put back. */
  readonly changed: readonly string[];
}

export type RelayAnswer = RelayReply | { readonly error: string };

export type EdgeAnswer = { readonly isDraining: boolean } | { readonly error: string };

/** State of the certificate by ACME; `isOn` is false where the configuration has none. */
export type CertificateReply = { readonly isOn: boolean } & Omit<KeeperState, 'failures'>;

export interface OperatorOptions {
  /** Null on a process without an edge or relay. */
  readonly tables: Tables | null;
  /** Null on a process without the edge role. */
  readonly edge: EdgeRole | null;
  /** Null on a process without the relay role. */
  readonly relay: RelayRole | null;
  explain(request: ExplainRequest): ExplainReply;
  /** Null on a process without ACME. */
  readonly certificate: (() => KeeperState) | null;
  /** Null on a process without the control role. */
  readonly accounts: ((request: AccountRequest) => Promise<AccountAnswer>) | null;
  /** @returns the reason why the old catalog stays; null: taken */
  reloadCatalog(): Promise<string | null>;
}

export type ReloadReply = { readonly error?: string };

const RELAY_COMMANDS: readonly string[] = ['relay-status', 'relay-drain', 'relay-undrain'];
const ACCOUNT_COMMANDS: readonly string[] = [
  'account-add',
  'account-list',
  'account-show',
  'account-link',
  'account-remove',
];

/** Runs a command that arrived at the operator socket. */
export async function runOperatorCommand(
  request: OperatorRequest,
  options: OperatorOptions,
): Promise<ExplainReply | RelayAnswer | AccountAnswer | ReloadReply | EdgeAnswer | CertificateReply> {
  if (isAccountRequest(request)) {
    return options.accounts?.(request) ?? { error: 'this process has no control role' };
  }
  if (isEdgeRequest(request)) return runEdgeCommand(request, options.edge);
  if (request.command === 'reload-catalog') {
    const error = await options.reloadCatalog();
    return error === null ? {} : { error };
  }
  if (request.command === 'certificate') return certificateReply(options.certificate?.() ?? null);
  if (options.tables === null) return { error: 'this process has no edge or relay role' };
  if (request.command === 'explain') return options.explain(request);
  return runRelayCommand(request, options.tables, options.relay);
}

function isEdgeRequest(request: OperatorRequest): request is EdgeRequest {
  return request.command === 'edge-drain' || request.command === 'edge-undrain';
}

function runEdgeCommand({ command }: EdgeRequest, edge: EdgeRole | null): EdgeAnswer {
  if (edge === null) return { error: 'this process is not an edge' };
  edge.setDraining(command === 'edge-drain');
  return { isDraining: edge.isDraining };
}

function certificateReply(state: KeeperState | null): CertificateReply {
  if (state === null) return { isOn: false, validToMs: null, reason: null, problem: null, isFromCa: false };
  const { validToMs, reason, problem, isFromCa } = state;
  return { isOn: true, validToMs, reason, problem, isFromCa };
}

function isAccountRequest(request: OperatorRequest): request is AccountRequest {
  return ACCOUNT_COMMANDS.includes(request.command);
}

async function runRelayCommand(
  { command, region, address }: RelayRequest,
  tables: Tables,
  relay: RelayRole | null,
): Promise<RelayAnswer> {
  if (!RELAY_COMMANDS.includes(command)) return { error: 'unknown command' };
  if (command === 'relay-status') return reply(tables, relay, { isOwn: relay !== null, changed: [] });
  const isDrain = command === 'relay-drain';
  const isUnnamed = region === null && address === null;
  if (isUnnamed && relay === null) {
    return { error: 'this process is not a relay: name a relay of its edge by --relay or --region' };
  }
  const isOwn = relay !== null && (isUnnamed || matches(relay, region, address));
  if (isOwn) await relay.setDraining(isDrain);
  const addresses = isUnnamed ? relay!.addresses : address === null ? null : [address];
  const changed = tables.relayWatch?.drain({ region, addresses }, isDrain) ?? [];
  if (!isOwn && changed.length === 0) {
    return { error: 'no relay of this process or of its edge matches' };
  }
  return reply(tables, relay, { isOwn, changed });
}

/** A relay without relay.region matches no region. */
function matches(relay: RelayRole, region: string | null, address: string | null): boolean {
  return (
    (region === null || relay.region === region) && (address === null || relay.addresses.includes(address))
  );
}

function reply(
  tables: Tables,
  relay: RelayRole | null,
  about: Pick<RelayReply, 'isOwn' | 'changed'>,
): RelayReply {
  const own = relay && { region: relay.region, isDraining: relay.isDraining, tunnels: relay.tunnels };
  return { relays: tables.relayWatch === null ? [] : tables.relayStatuses, own, ...about };
}
