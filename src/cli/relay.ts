import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { formatAddress, parseAddress } from '../net/index.ts';
import { monotonicClock } from '../sys/index.ts';
import { askRunning } from './ask-running.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';
import { readConfig } from './read-config.ts';
import type { RelayAnswer, RelayReply } from './serve/operator/commands.ts';
import type { RelayRequest } from './serve/operator/socket.ts';
import { type RelayStatus, statusText } from './serve/tables/relay-status.ts';

const USAGE = `Usage: mediastreamer relay status [--json] [--config FILE]
       mediastreamer relay drain [--relay ADDRESS | --region REGION] [--timeout SECONDS | --no-wait] [--config FILE]
       mediastreamer relay undrain [--relay ADDRESS | --region REGION] [--config FILE]

Talks to the process that runs with this configuration; run it as that process's user.

status   shows the state of this edge's relays, and the number of connections this relay carries.
drain    takes relays out of the answers and waits for their connections to end. On a relay's host, every edge that
         probes it (relay.probeSources) leaves it out from its next probe on; devices that still know its address
         are served. The wait ends when the relay carries no connection, but not before the TTL of answers plus a
         probe interval. On an edge's host, with --relay or --region, only this edge leaves the relays out, at once;
         their connections are counted on the relays' hosts.
undrain  puts relays back. A restart does so too; for a lasting drain set weight: 0 in the configuration.

  --relay ADDRESS    a relay of this edge, or this relay by its address
  --region REGION    all relays of a region of this edge, and this relay if it is in relay.region
  --timeout SECONDS  maximum wait; default: TTL + probe interval + relay.drainSeconds
  --no-wait          do not wait
  --json             print one JSON object
  --config FILE      configuration; default: MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done, no connections left; 1 nothing was done; 2 bad usage; 3 connections left at the timeout.
`;

const EXIT_CONNECTIONS_LEFT = 3;
const POLL_MS = 500;
const PROGRESS_MS = 5_000;

async function run(args: string[], io: Io): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'status') return status(rest, io);
  if (action === 'drain') return drain(rest, io);
  if (action === 'undrain') return undrain(rest, io);
  throw new UsageError('expected status, drain or undrain');
}

const SELECTORS = {
  config: { type: 'string' },
  relay: { type: 'string' },
  region: { type: 'string' },
} as const;

async function status(args: string[], io: Io): Promise<number> {
  const values = parseOptions(args, { config: { type: 'string' }, json: { type: 'boolean' } });
  const reply = await ask(readConfig(values.config, io).config, 'relay-status', {}, io);
  if (reply === null) return 1;
  const { relays, own } = reply;
  if (values.json === true) {
    io.out(JSON.stringify({ relays, own }));
    return 0;
  }
  for (const line of relays.map(statusLine)) io.out(line);
  if (own !== null) io.out(ownLine(own));
  return 0;
}

async function undrain(args: string[], io: Io): Promise<number> {
  const values = parseOptions(args, SELECTORS);
  const reply = await ask(readConfig(values.config, io).config, 'relay-undrain', values, io);
  if (reply === null) return 1;
  if (reply.isOwn) io.out('this relay is undrained: edges put it back after their next successful probes');
  for (const address of reply.changed) io.out(`${address} is back in this edge's answers if it is up`);
  return 0;
}

async function drain(args: string[], io: Io): Promise<number> {
  const values = parseOptions(args, {
    ...SELECTORS,
    timeout: { type: 'string' },
    'no-wait': { type: 'boolean' },
  });
  const isWaiting = values['no-wait'] !== true;
  if (!isWaiting && values.timeout !== undefined) {
    throw new UsageError('expected --timeout or --no-wait, not both');
  }
  if (values.timeout !== undefined && !/^\d{1,6}$/.test(values.timeout)) {
    throw new UsageError('expected --timeout with a number of seconds');
  }
  const config = readConfig(values.config, io).config;
  const reply = await ask(config, 'relay-drain', values, io);
  if (reply === null) return 1;
  for (const address of reply.changed) io.out(`${address} is out of this edge's answers`);
  if (!reply.isOwn) {
    if (reply.own === null) io.out('the connections are counted on the host of the relay');
    return 0;
  }
  io.out('this relay drains: edges that probe it leave it out by their next probe');
  if (!isWaiting) return 0;
  const settleSeconds = config.catalog.answerTtlSeconds + config.health.intervalSeconds;
  const timeoutSeconds = Number(values.timeout ?? settleSeconds + config.relay.drainSeconds);
  return waitForTunnels(config, settleSeconds * 1000, timeoutSeconds * 1000, io);
}

/** Before settleMs, edges may still answer with the relay, and devices may still have such an answer. */
async function waitForTunnels(config: Config, settleMs: number, timeoutMs: number, io: Io): Promise<number> {
  const now = monotonicClock();
  const startedAtMs = now();
  for (let printedAtMs = Number.NEGATIVE_INFINITY; ; ) {
    const reply = await ask(config, 'relay-status', {}, io);
    if (reply === null) return 1;
    const { tunnels, isDraining } = reply.own ?? { tunnels: 0, isDraining: false };
    const elapsedMs = now() - startedAtMs;
    const seconds = Math.round(elapsedMs / 1000);
    if (!isDraining) {
      io.err('the relay was undrained meanwhile, or the process restarted');
      return 1;
    }
    if (tunnels === 0 && elapsedMs >= settleMs) {
      io.out(`${seconds} s: no connections left`);
      return 0;
    }
    if (elapsedMs >= timeoutMs) {
      io.out(`${seconds} s: timeout, ${tunnels} connections left`);
      return EXIT_CONNECTIONS_LEFT;
    }
    if (elapsedMs - printedAtMs >= PROGRESS_MS) {
      io.out(`${seconds} s: ${tunnels} connections open`);
      printedAtMs = elapsedMs;
    }
    await delay(POLL_MS);
  }
}

/** Sends a command. @returns null after printing why nothing was done */
async function ask(
  { dataDir }: Config,
  command: RelayRequest['command'],
  { relay, region }: { relay?: string | undefined; region?: string | undefined },
  io: Io,
): Promise<RelayReply | null> {
  const address = relay === undefined ? null : parseAddress(relay);
  if (relay !== undefined && address === null) throw new UsageError('expected --relay with an address');
  if (relay !== undefined && region !== undefined) {
    throw new UsageError('expected --relay or --region, not both');
  }
  const request = { command, region: region ?? null, address: address && formatAddress(address) };
  return askRunning<RelayAnswer>(dataDir, request, 'edge or relay', io);
}

function statusLine(relay: RelayStatus): string {
  const { region, group, weight, forSeconds, given } = relay;
  const since = forSeconds === null ? '' : `, for ${forSeconds} s`;
  const more = [
    group === null ? '' : `group ${group}`,
    `weight ${weight}`,
    given ? '' : 'not in the answers',
  ];
  return `${region}  ${statusText(relay)}${since}  (${more.filter((text) => text !== '').join(', ')})`;
}

function ownLine({ region, isDraining, tunnels }: NonNullable<RelayReply['own']>): string {
  const where = region === null ? '' : `, in ${region}`;
  return `this relay${where}: ${isDraining ? 'draining' : 'serving'}, ${tunnels} connections`;
}

export const command: Command = {
  name: 'relay',
  summary: 'show relays; drain them, or put them back',
  usage: USAGE,
  run,
};
