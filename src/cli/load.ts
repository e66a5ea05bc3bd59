import { randomInt } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import {
  exceeded,
  LoadPlanError,
  type LoadSummary,
  MAX_SECONDS,
  type Progress,
  progressLine,
  prometheusText,
  QUERY_TYPES,
  runLoad,
  summarize,
  summaryText,
  type Tallies,
} from '../load/index.ts';
import { monotonicClock } from '../sys/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { type LoadRequest, readLoadRequest } from './load/request.ts';

const USAGE = `Usage: mediastreamer load --target ADDRESS:PORT --rate N --seconds N [options]

Sends queries to a DNS server at a constant rate, whether it keeps up or not (open loop), and reports the answers.
Latency counts from the time a query was due. The target must be a loopback address, or listed in a file.

  --target ADDRESS:PORT   server to query: 127.0.0.1:5300, [::1]:5300
  --allow FILE            further allowed targets, one a line
  --transport NAME        udp (the default), tcp, tls or https
  --rate N                queries per second, over all sources and connections
  --seconds N             duration, at most ${MAX_SECONDS}
  --warm-up N             seconds before that at the same rate, not counted (default: 1)
  --timeout-ms N          a later answer counts as lost (default: 2000)

  --mix SHARES            catalog=70,hit=25,miss=5 (default: catalog=100)
  --types SHARES          A=80,AAAA=20 (default: A=100); of ${QUERY_TYPES.join(', ')}
  --names FILE            names of the catalog share, one a line (default: a few well-known ones)
  --hits FILE             names of the hit share (default: hit-0 to hit-199 below --base)
  --base NAME             misses are new names below this one (default: load.example). They reach the edge's upstreams:
                          use a name that those may be asked for
  --no-edns               send queries without an OPT record

  --sources PREFIX        source addresses: 127.0.1.0/24; may be repeated, at most 65,536 addresses
  --unregistered PREFIX   further source addresses that are not registered; may be repeated
  --unregistered-share N  percentage of queries from these (default: 0)

  --connections N         connections of tcp, tls and https (default: 4)
  --path PATH             path of https (default: /dns-query)
  --ca FILE               CA certificates to verify the server with (default: the system's)
  --server-name NAME      name to verify (default: the target's address)
  --insecure              do not verify the server's certificate

  --max-p99-ms N          exit 3 if the 99th percentile of latency is above N
  --max-loss-percent N    exit 3 if more than N percent of the queries have no answer
  --prometheus FILE       write the counts there every second and at the end
  --json                  print JSON lines; the default if the output is not a terminal

Limits apply to registered sources, or to the unregistered ones if there are no others. Ctrl-C ends the load early and
prints the counts so far.

Exit codes: 0 done and within the limits; 1 not run (the target is not allowed, or a source is not an address of this
machine); 2 bad usage; 3 a limit exceeded.
`;

const EXIT_EXCEEDED = 3;

async function run(args: string[], io: Io): Promise<number> {
  const request = readRequest(args, io);
  const { plan, thresholds } = request;
  const isText = !request.json && process.stdout.isTTY === true;
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const { summary, tallies } = await runLoad(plan, {
      now: monotonicClock(),
      random: () => randomInt(2 ** 32),
      cpuSeconds,
      signal: abort.signal,
      onProgress: (progress, counted) => report(request, io, isText, progress, counted),
    });
    if (request.prometheus !== null) await writePrometheus(request.prometheus, tallies, summary);
    const violations = exceeded(summary, thresholds);
    io.out(
      isText ? summaryText(summary) : JSON.stringify({ event: 'summary', ...summary, exceeded: violations }),
    );
    for (const violation of violations) io.err(`mediastreamer load: ${violation}`);
    return violations.length === 0 ? 0 : EXIT_EXCEEDED;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** An impossible plan is bad usage. */
function readRequest(args: string[], io: Io): LoadRequest {
  try {
    return readLoadRequest(args, io.cwd);
  } catch (error) {
    if (error instanceof LoadPlanError) throw new UsageError(error.message);
    throw error;
  }
}

function report(request: LoadRequest, io: Io, isText: boolean, progress: Progress, tallies: Tallies): void {
  io.out(isText ? progressLine(progress) : JSON.stringify({ event: 'progress', ...progress }));
  if (request.prometheus === null) return;
  const { plan } = request;
  const measured = { seconds: Math.max(progress.elapsedSeconds, 1), cpuSeconds: cpuSeconds() };
  void writePrometheus(request.prometheus, tallies, summarize(plan, tallies, measured));
}

/** Writes by rename, so that a collector never reads half a file. */
async function writePrometheus(file: string, tallies: Tallies, summary: LoadSummary): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, await prometheusText(tallies, summary));
  renameSync(temporary, file);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export const command: Command = {
  name: 'load',
  summary: 'query a DNS server at a constant rate and measure its answers',
  usage: USAGE,
  run,
};
