import { type CheckSummary, checkEntries, Prober, summarize } from '../catalog/health/index.ts';
import { monotonicClock } from '../sys/index.ts';
import { parseCheckServiceOptions } from './check-service/options.ts';
import { planCheck } from './check-service/plan.ts';
import { checkAsJson, checkAsText } from './check-service/print.ts';
import type { Command, Io } from './command.ts';
import { loadCatalog } from './load-catalog.ts';
import { readConfig } from './read-config.ts';
import { hasFamily } from './serve/own-addresses.ts';

const USAGE = `Usage: mediastreamer check-service NAME [--region REGION | --relay ADDRESS] [--json] [--config FILE]

Connects to the names of a service through a relay, by TLS as a device would, and reports which of them answer with
a valid certificate. Names that stop answering show that a catalog file is out of date. NAME is a service id, or one
host name of the catalog. For a name that covers everything below it, the name itself and its www. are tried. The
relay must list this machine in relay.probeSources. Certificates are verified by Node's CA store;
NODE_EXTRA_CA_CERTS=FILE adds to it.

  --region REGION    use the relays of this region; default: the service's first region that has relays. A name in a
                     group uses the group's relay with the largest weight
  --relay ADDRESS    use this relay
  --port PORT        the relay's port; default: health.port
  --timeout SECONDS  time for each connection, 12 by default: a relay gives an origin up after 10
  --strict           a name that covers others also fails if neither it nor its www. has an address
  --json             print one JSON object
  --config FILE      configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 all names answer, 1 some fail, 2 bad usage, 3 the relay is unreachable, drains or rejects this host.
`;

const EXIT: Readonly<Record<CheckSummary['verdict'], number>> = { ok: 0, 'names-fail': 1, 'relay-fails': 3 };
/** Stays well within a relay's limit of new connections from one source. */
const CONCURRENCY = 4;
const SEED = 1;
/** A dead relay takes a timeout for each name: say what is going on meanwhile. */
const PROGRESS_MS = 5_000;

async function run(args: string[], io: Io): Promise<number> {
  const options = parseCheckServiceOptions(args);
  const loaded = readConfig(options.config, io);
  const port = options.port ?? loaded.config.health.port;
  const { tables } = await loadCatalog(loaded, SEED);
  const plan = planCheck(tables, options, SEED);
  const prober = new Prober({ now: monotonicClock(), hasFamily });
  let tried = 0;
  const progress = setInterval(() => io.err(`${tried} connections tried so far`), PROGRESS_MS).unref();
  const reports = await checkEntries(
    plan.entries,
    async (name) => {
      const report = await prober.probe({ address: plan.relayFor(name), port, name }, options.timeoutMs);
      tried += 1;
      return report;
    },
    CONCURRENCY,
  ).finally(() => clearInterval(progress));
  const summary = summarize(reports, options.strict);
  if (options.json) io.out(JSON.stringify(checkAsJson(plan, reports, summary)));
  else for (const line of checkAsText(plan, reports, summary)) io.out(line);
  return EXIT[summary.verdict];
}

export const command: Command = {
  name: 'check-service',
  summary: 'try the names of a service through a relay',
  usage: USAGE,
  run,
};
