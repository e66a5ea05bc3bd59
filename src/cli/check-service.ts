import {
  type CheckedEntry,
  type CheckSummary,
  checkEntries,
  type EntryReport,
  entriesOf,
  type ProbeOutcome,
  Prober,
  summarize,
} from '../catalog/health/index.ts';
import type { CatalogTables } from '../catalog/index.ts';
import { findName } from '../catalog/lookup/index.ts';
import { loadConfig, locateConfig } from '../config/index.ts';
import { formatAddress, parseAddress } from '../net/index.ts';
import { monotonicClock } from '../sys/index.ts';
import { loadCatalog } from './catalog.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseArguments } from './options.ts';
import { hasFamily } from './serve/own-addresses.ts';
import { addressOf } from './serve/tables/relay-status.ts';

const USAGE = `Usage: mediastreamer check-service NAME [--region REGION | --relay ADDRESS] [--json] [--config FILE]

Connects to the names of a service through a relay, by TLS as a device would, and says which answer with a valid
certificate: when a list has grown stale, names stop to. NAME is the id of a service, or one host name of the
catalog. Of names that stand for all below them, the name itself and www. of it are tried. The relay must have
this machine among its relay.probeSources, or it says nothing. Certificates are judged by what Node trusts;
NODE_EXTRA_CA_CERTS=FILE adds to it.

  --region REGION    by the relays of a region; else of the first of the service's that has some. A name with a
                     group goes by the group's relay, of several the one with the most weight
  --relay ADDRESS    by this relay
  --port PORT        the relay's port; else health.port
  --timeout SECONDS  for each connection, 12 by default: a relay takes 10 to give an origin up
  --strict           a name that stands for others fails too where neither it nor www. of it has an address
  --json             one JSON object
  --config FILE      the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 all answer, 1 some fail, 2 bad usage, 3 the relay is not reachable, drains or does not let us in.
`;

const EXIT: Readonly<Record<CheckSummary['verdict'], number>> = { ok: 0, 'names-fail': 1, 'relay-fails': 3 };
const TIMEOUT_SECONDS = 12;
/** A relay takes so many new connections of one source as are no burden to anyone. */
const CONCURRENCY = 4;
const SEED = 1;

const WORDS: Readonly<Record<ProbeOutcome, string>> = {
  ok: 'answers',
  draining: 'relay drains',
  unreachable: 'relay does not answer',
  timeout: 'nothing in time',
  closed: 'relay lets us not in',
  unlisted: 'not listed by relay',
  'no-address': 'no address',
  forbidden: 'address not relayed to',
  'origin-unreachable': 'origin does not answer',
  'origin-refuses': 'origin refuses',
  certificate: 'certificate not valid',
  untried: 'not tried from here',
};
const WORDS_WIDTH = Math.max(...Object.values(WORDS).map(({ length }) => length));

/** What is checked, and by which relays. */
interface Plan {
  readonly service: string;
  readonly region: string | null;
  readonly entries: readonly CheckedEntry[];
  /** The address of the relay for a host name. */
  relayFor(host: string): string;
}

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, {
    config: { type: 'string' },
    region: { type: 'string' },
    relay: { type: 'string' },
    port: { type: 'string' },
    timeout: { type: 'string' },
    strict: { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (positionals.length !== 1) throw new UsageError('expected one service or host name');
  if (values.region !== undefined && values.relay !== undefined) {
    throw new UsageError('expected --region or --relay, not both');
  }
  const relay = values.relay === undefined ? null : addressText(values.relay);
  const timeoutMs = 1000 * whole(values.timeout, '--timeout', 600, TIMEOUT_SECONDS);
  const loaded = loadConfig({ file: locateConfig(values.config, io.env), env: io.env, cwd: io.cwd });
  const port = whole(values.port, '--port', 65_535, loaded.config.health.port);
  const { tables } = await loadCatalog(loaded, SEED);
  const plan = planOf(tables, positionals[0], relay, values.region ?? null);
  const prober = new Prober({ now: monotonicClock(), hasFamily });
  const reports = await checkEntries(
    plan.entries,
    (name) => prober.probe({ address: plan.relayFor(name), port, name }, timeoutMs),
    CONCURRENCY,
  );
  const summary = summarize(reports, values.strict === true);
  if (values.json === true) io.out(JSON.stringify(asJson(plan, reports, summary)));
  else for (const line of asText(plan, reports, summary)) io.out(line);
  return EXIT[summary.verdict];
}

function planOf(tables: CatalogTables, name: string, relay: string | null, wanted: string | null): Plan {
  const isHost = name.includes('.');
  const index = isHost
    ? (findName(tables.names, SEED, name)?.service ?? -1)
    : tables.services.findIndex(({ service }) => service === name);
  if (index < 0) {
    throw new UsageError(`expected a service or a name of the catalog, found ${JSON.stringify(name)}`);
  }
  const service = tables.services[index];
  const entries = isHost ? [{ name, isSuffix: false, hosts: [name] }] : entriesOf(service);
  if (relay !== null) return { service: service.service, region: wanted, entries, relayFor: () => relay };
  const serving = tables.regions.filter(({ serves }) => serves).map(({ region }) => region);
  const region = wanted ?? service.regions.find((listed) => serving.includes(listed));
  if (region === undefined || !serving.includes(region)) {
    throw new UsageError(`expected a region that has relays, one of ${serving.join(', ')}`);
  }
  return { service: service.service, region, entries, relayFor: (host) => relayOf(tables, region, host) };
}

/** The relay that most homes would get for a name. */
function relayOf({ regions, relays, routes, names }: CatalogTables, region: string, host: string): string {
  const index = regions.findIndex((known) => known.region === region);
  const group = findName(names, SEED, host)?.group ?? 0;
  for (const family of [4, 6] as const) {
    const given = routes.given(index, group, family).toSorted((a, b) => relays[b].weight - relays[a].weight);
    if (given.length > 0) return addressOf(relays[given[0]], family)!;
  }
  throw new TypeError('a region that serves has a relay');
}

function asJson(plan: Plan, reports: readonly EntryReport[], summary: CheckSummary) {
  const names = reports.map(({ name, isSuffix, outcome, tried }) => ({
    ...{ name, kind: isSuffix ? 'suffix' : 'exact', outcome },
    tried: tried.map(({ host, outcome: of, milliseconds }) => ({
      ...{ host, outcome: of, relay: plan.relayFor(host), milliseconds: Math.round(milliseconds) },
    })),
  }));
  const { service, region } = plan;
  return { service, region, ...summary, names };
}

function asText(plan: Plan, reports: readonly EntryReport[], summary: CheckSummary): string[] {
  const relays = [...new Set(plan.entries.flatMap(({ hosts }) => hosts.map(plan.relayFor)))].join(', ');
  const where = plan.region === null ? '' : ` of ${plan.region}`;
  const lines = reports.map(({ name, outcome, tried }) => {
    const last = tried.at(-1)!;
    const time = outcome === 'ok' ? `  ${last.host} in ${Math.round(last.milliseconds)} ms` : '';
    return `  ${WORDS[outcome].padEnd(WORDS_WIDTH)}  ${name}${time}`;
  });
  const { answer, noAddress, fail } = summary;
  const counts = `${reports.length} names: ${answer} answer, ${noAddress} have no address, ${fail} fail`;
  return [`${plan.service} through ${relays}${where}`, ...lines, counts];
}

function addressText(text: string): string {
  const address = parseAddress(text);
  if (address === null) throw new UsageError('expected --relay with an address');
  return formatAddress(address);
}

function whole(text: string | undefined, option: string, most: number, otherwise: number): number {
  if (text === undefined) return otherwise;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) throw new UsageError(`expected ${option} with a number from 1 to ${most}`);
  return number;
}

export const command: Command = {
  name: 'check-service',
  summary: "try a service's names through a relay, and say which answer",
  usage: USAGE,
  run,
};
