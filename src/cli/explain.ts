import { AllowlistTable, Profiles } from '../allowlist/index.ts';
import { Steering } from '../catalog/index.ts';
import { type LoadedConfig, loadConfig, locateConfig } from '../config/index.ts';
import { parseAddress, registrationPrefix } from '../net/index.ts';
import { AnswerCache } from '../resolver/cache/index.ts';
import { nameFromText, RecordType } from '../wire/index.ts';
import { loadCatalog } from './catalog.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseArguments } from './options.ts';
import { policyOf } from './policy.ts';
import { type ExplainReply, explainWith } from './serve/operator/explainer.ts';
import { askOperatorSocket, type ExplainRequest } from './serve/operator/socket.ts';
import { NOTHING_KNOWN } from './serve/tables/relay-status.ts';

const USAGE = `Usage: mediastreamer explain NAME [TYPE] --from ADDRESS [--config FILE]

Says what the edge would answer to a question for NAME from ADDRESS, and why, step by step. It asks the edge that
runs with this configuration, as its user; where none runs, it tells by the configuration alone what a registered
address would get, in the default region and by both families. Nothing is asked of upstreams, logged or counted.

  TYPE            A by default: A, AAAA, HTTPS, MX ... or TYPE and its number
  --from ADDRESS  the address that asks
  --config FILE   the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 told, 1 not, 2 bad usage.
`;

const SEED = 1;
/** A table of one address, a cache of nothing. */
const CACHE_BYTES = 65_536;

async function run(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArguments(args, {
    config: { type: 'string' },
    from: { type: 'string' },
  });
  const request = readRequest(positionals, values.from);
  const loaded = loadConfig({ file: locateConfig(values.config, io.env), env: io.env, cwd: io.cwd });
  const running = await askOperatorSocket<ExplainReply>(loaded.config.dataDir, request);
  const reply = running ?? (await explainFromConfig(loaded, request));
  if ('error' in reply) {
    io.err(reply.error);
    return 1;
  }
  const origin =
    running === null ? 'no edge runs here: by the configuration, as if registered' : 'by the running edge';
  io.out(`${positionals[0]} ${positionals[1] ?? 'A'} from ${request.from}, ${origin}`);
  for (const { step, finding } of reply.steps) io.out(`  ${step.padEnd(7)} ${finding}`);
  return 0;
}

function readRequest(
  [name, type = 'A', ...more]: readonly string[],
  from: string | undefined,
): ExplainRequest {
  if (name === undefined || more.length > 0) throw new UsageError('expected a name, and a type at the most');
  if (nameFromText(name) === null) throw new UsageError('expected a domain name');
  if (from === undefined || parseAddress(from) === null)
    throw new UsageError('expected --from with an address');
  const known = (RecordType as Readonly<Record<string, number>>)[type.toUpperCase()];
  const number = known ?? Number(/^TYPE(\d{1,5})$/i.exec(type)?.[1]);
  if (!(number > 0 && number < 65_536)) throw new UsageError('expected a type such as A, AAAA or TYPE65');
  return { command: 'explain', name, type: number, from };
}

async function explainFromConfig(loaded: LoadedConfig, request: ExplainRequest): Promise<ExplainReply> {
  const { config } = loaded;
  const { tables: catalog } = await loadCatalog(loaded, SEED);
  const profiles = new Profiles({ now: () => 0 });
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
  return explainWith(tables, request, 0);
}

export const command: Command = {
  name: 'explain',
  summary: 'say what a question from an address would be answered, and why',
  usage: USAGE,
  run,
};
