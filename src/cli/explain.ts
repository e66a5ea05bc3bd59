import { AllowlistTable, Profiles } from '../allowlist/index.ts';
import { Steering } from '../catalog/index.ts';
import type { LoadedConfig } from '../config/index.ts';
import { parseAddress, registrationPrefix } from '../net/index.ts';
import { AnswerCache } from '../resolver/cache/index.ts';
import { nameFromText, RecordType } from '../wire/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { catalogVersion, loadCatalog } from './load-catalog.ts';
import { parseArguments } from './options.ts';
import { policyOf } from './policy.ts';
import { readConfig } from './read-config.ts';
import { type ExplainReply, explainWith } from './serve/operator/explainer.ts';
import { askOperatorSocket, type ExplainRequest } from './serve/operator/socket.ts';
import { NOTHING_KNOWN } from './serve/tables/relay-status.ts';

const USAGE = `Usage: mediastreamer explain NAME [TYPE] --from ADDRESS [--config FILE]

Shows step by step what the edge answers to a query for NAME from ADDRESS, and why. Asks the edge that runs with this
configuration; run it as the edge's user. If none runs, it shows what the configuration gives a registered address in
the default region with both families. Sends nothing to upstreams, logs nothing and counts nothing.

  TYPE            query type: A (the default), AAAA, HTTPS, MX ..., or TYPE with a number
  --from ADDRESS  source address of the query
  --config FILE   configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done, 1 failed, 2 bad usage.
`;

const SEED = 1;
/** Smallest useful cache: it stays empty. */
const CACHE_BYTES = 65_536;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, {
    config: { type: 'string' },
    from: { type: 'string' },
  });
  const request = readRequest(positionals, values.from);
  const loaded = readConfig(values.config, io);
  const running = await askOperatorSocket<ExplainReply>(loaded.config.dataDir, request);
  const reply = running ?? (await explainFromConfig(loaded, request));
  if ('error' in reply) {
    io.err(reply.error);
    return 1;
  }
  const origin =
    running === null ? 'by the configuration, as if registered (no edge runs here)' : 'by the running edge';
  io.out(
    `${positionals[0]} ${positionals[1] ?? 'A'} from ${request.from}, ${origin}, with catalog ${reply.catalogVersion}`,
  );
  for (const { step, finding } of reply.steps) io.out(`  ${step.padEnd(7)} ${finding}`);
  return 0;
}

function readRequest(
  [name, type = 'A', ...more]: readonly string[],
  from: string | undefined,
): ExplainRequest {
  if (name === undefined || more.length > 0) throw new UsageError('expected a name and at most a type');
  if (nameFromText(name) === null || /\s/.test(name)) throw new UsageError('expected a domain name');
  if (from === undefined || parseAddress(from) === null)
    throw new UsageError('expected --from with an address');
  const known = (RecordType as Readonly<Record<string, number>>)[type.toUpperCase()];
  const number = known ?? Number(/^TYPE(\d{1,5})$/i.exec(type)?.[1]);
  if (!(number > 0 && number < 65_536)) throw new UsageError('expected a type such as A, AAAA or TYPE65');
  return { command: 'explain', name, type: number, from };
}

async function explainFromConfig(loaded: LoadedConfig, request: ExplainRequest): Promise<ExplainReply> {
  const { config } = loaded;
  const read = await loadCatalog(loaded, SEED);
  const { tables: catalog } = read;
  const profiles = new Profiles();
  const steering = new Steering(catalog);
  profiles.onInterned((id, profile) => steering.setProfile(id, profile));
  const table = new AllowlistTable();
  const region = config.defaultRegion;
  table.set(
    registrationPrefix(parseAddress(request.from)!),
    profiles.intern({ region, services: {}, ipv4: true, ipv6: true }),
  );
  const cache = new AnswerCache({ bytes: CACHE_BYTES });
  const { rateLimit } = config.dns;
  const policy = policyOf(config, SEED);
  const tables = { table, profiles, steering, catalog, cache, policy, rateLimit, relays: NOTHING_KNOWN };
  return explainWith({ ...tables, catalogVersion: catalogVersion(read) }, request, 0);
}

export const command: Command = {
  name: 'explain',
  summary: 'show what an address is answered, and why',
  usage: USAGE,
  run,
};
