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

Asks a DNS server at an even rate, whether it keeps up or not (open loop), and tells what came back. Latency
counts from when a query was due. The target must be a loopback address, or named in a file.

  --target ADDRESS:PORT   whom to ask: 127.0.0.1:5300, [::1]:5300
  --allow FILE            further addresses that may be targets, one a line
  --transport NAME        udp (the default), tcp, tls or https
  --rate N                queries a second, over all sources and connections
  --seconds N             for how long, ${MAX_SECONDS} at most
  --warm-up N             seconds before that, at the same rate, that do not count (default: 1)
  --timeout-ms N          an answer that takes longer is lost (default: 2000)

  --mix SHARES            catalog=70,hit=25,miss=5 (default: catalog=100)
  --types SHARES          A=80,AAAA=20 (default: A=100); of ${QUERY_TYPES.join(', ')}
  --names FILE            the names of the catalog share, one a line (default: a few well-known ones)
  --hits FILE             the names of the hit share (default: hit-0 to hit-199 below --base)
  --base NAME             misses are new names below it, each asked once (default: load.example). They reach the
                          edge's upstreams: name one that these may be asked for
  --no-edns               queries without an OPT record

  --sources PREFIX        the addresses to ask from: 127.0.1.0/24; may be repeated, 65,536 addresses at most
  --unregistered PREFIX   addresses that are not registered, to ask from as well; may be repeated
  --unregistered-share N  so many of a hundred queries come from these (default: 0)

  --connections N         of tcp, tls and https (default: 4)
  --path PATH             of https (default: /dns-query)
  --ca FILE               authorities to verify the server by (default: the system's)
  --server-name NAME      the name to verify (default: the target's address)
  --insecure              do not verify the server's certificate

  --max-p99-ms N          exit 3 where the 99th percentile of latency is above
  --max-loss-percent N    exit 3 where more of a hundred queries have no answer
  --prometheus FILE       write the counts there, each second and at the end
  --json                  JSON lines, as where the output is no terminal

Limits hold for the queries of registered sources; for the others where there are none. Ctrl-C ends the load early
and tells what was counted.

Exit codes: 0 done and within the limits, 1 not made (a target that is not allowed, a source that is not this
machine's), 2 bad usage, 3 a limit exceeded.
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
      onProgress: (progress, counted) => tell(request, io, isText, progress, counted),
    });
    if (request.prometheus !== null) await writePrometheus(request.prometheus, tallies, summary);
    const faults = exceeded(summary, thresholds);
    io.out(
      isText ? summaryText(summary) : JSON.stringify({ event: 'summary', ...summary, exceeded: faults }),
    );
    for (const fault of faults) io.err(`mediastreamer load: ${fault}`);
    return faults.length === 0 ? 0 : EXIT_EXCEEDED;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

/** What cannot be a load is bad usage. */
function readRequest(args: string[], io: Io): LoadRequest {
  try {
    return readLoadRequest(args, io.cwd);
  } catch (error) {
    if (error instanceof LoadPlanError) throw new UsageError(error.message);
    throw error;
  }
}

function tell(request: LoadRequest, io: Io, isText: boolean, progress: Progress, tallies: Tallies): void {
  io.out(isText ? progressLine(progress) : JSON.stringify({ event: 'progress', ...progress }));
  if (request.prometheus === null) return;
  const { plan } = request;
  const measured = { seconds: Math.max(progress.elapsedSeconds, 1), cpuSeconds: cpuSeconds() };
  void writePrometheus(request.prometheus, tallies, summarize(plan, tallies, measured));
}

/** By a rename, so that a collector never reads half a file. */
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
  summary: 'ask a DNS server at an even rate and measure its answers',
  usage: USAGE,
  run,
};
