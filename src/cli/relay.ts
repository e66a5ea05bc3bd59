import { setTimeout as delay } from 'node:timers/promises';
import { type Config, loadConfig, locateConfig } from '../config/index.ts';
import { formatAddress, parseAddress } from '../net/index.ts';
import { monotonicClock } from '../sys/index.ts';
import { type Command, type Io, UsageError } from './command.ts';
import { parseOptions } from './options.ts';
import type { RelayAnswer, RelayReply } from './serve/operator/commands.ts';
import { askOperatorSocket, type RelayRequest } from './serve/operator/socket.ts';
import { type RelayStatus, statusText } from './serve/tables/relay-status.ts';

const USAGE = `Usage: mediastreamer relay status [--json] [--config FILE]
       mediastreamer relay drain [--relay ADDRESS | --region REGION] [--timeout SECONDS | --no-wait] [--config FILE]
       mediastreamer relay undrain [--relay ADDRESS | --region REGION] [--config FILE]

Asks the process that runs with this configuration, as its user.

status   says how this edge's relays stand, and how many connections this relay carries.
drain    takes relays out of the answers, and waits for their connections. On the host of a relay: it tells every
         edge that probes it (relay.probeSources), which leave it out by their next probe; devices that know its
         address still find it serving. The wait ends when nothing is carried any more, not before the TTL of
         answers and a probe's interval are over. On the host of an edge, with --relay or --region: that edge
         leaves them out at once; their connections are counted by the relays themselves.
undrain  takes it back. So does a new start of the process; weight: 0 in the configuration stays.

  --relay ADDRESS    a relay of this edge's, or this relay by its address
  --region REGION    all relays of a region of this edge's; and this relay, if relay.region is that
  --timeout SECONDS  how long to wait; by default the TTL, a probe's interval and relay.drainSeconds
  --no-wait          do not
  --json             one JSON object
  --config FILE      the configuration; else MEDIASTREAMER_CONFIG, else config/default.yaml

Exit codes: 0 done, and nothing is carried any more; 1 nothing was done; 2 bad usage; 3 connections are still
carried at the end of the time.
`;

const EXIT_STILL_OPEN = 3;
const LOOK_MS = 500;
const TELL_MS = 5_000;

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
  const reply = await ask(configOf(values.config, io), 'relay-status', {}, io);
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
  const reply = await ask(configOf(values.config, io), 'relay-undrain', values, io);
  if (reply === null) return 1;
  if (reply.isOwn)
    io.out('this relay serves: edges that probe it give it again when their probes get through');
  for (const address of reply.changed) io.out(`${address} is in this edge's answers again, if it is up`);
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
  const config = configOf(values.config, io);
  const reply = await ask(config, 'relay-drain', values, io);
  if (reply === null) return 1;
  for (const address of reply.changed) io.out(`${address} is out of this edge's answers`);
  if (!reply.isOwn) {
    if (reply.own === null) io.out('no relay runs here: its connections are counted where it runs');
    return 0;
  }
  io.out('this relay drains: edges that probe it leave it out by their next probe');
  if (!isWaiting) return 0;
  const settleSeconds = config.catalog.answerTtlSeconds + config.health.intervalSeconds;
  const timeoutSeconds = Number(values.timeout ?? settleSeconds + config.relay.drainSeconds);
  return waitForTunnels(config, settleSeconds * 1000, timeoutSeconds * 1000, io);
}

/** Before settleMs, devices may still be given the relay, or know it from an answer. */
async function waitForTunnels(config: Config, settleMs: number, timeoutMs: number, io: Io): Promise<number> {
  const now = monotonicClock();
  const startedAtMs = now();
  for (let toldAtMs = Number.NEGATIVE_INFINITY; ; ) {
    const reply = await ask(config, 'relay-status', {}, io);
    if (reply === null) return 1;
    const { tunnels, isDraining } = reply.own ?? { tunnels: 0, isDraining: false };
    const elapsedMs = now() - startedAtMs;
    const seconds = Math.round(elapsedMs / 1000);
    if (!isDraining) {
      io.err('it does not drain any more: another command or a new start has ended that');
      return 1;
    }
    if (tunnels === 0 && elapsedMs >= settleMs) {
      io.out(`${seconds} s: nothing is carried any more`);
      return 0;
    }
    if (elapsedMs >= timeoutMs) {
      io.out(`${seconds} s: time is over, ${tunnels} connections are carried`);
      return EXIT_STILL_OPEN;
    }
    if (elapsedMs - toldAtMs >= TELL_MS) {
      io.out(`${seconds} s: ${tunnels} connections are carried`);
      toldAtMs = elapsedMs;
    }
    await delay(LOOK_MS);
  }
}

function configOf(argument: string | undefined, io: Io): Config {
  return loadConfig({ file: locateConfig(argument, io.env), env: io.env, cwd: io.cwd }).config;
}

/** @returns null where nothing was done, which is then said */
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
  const answer = await askOperatorSocket<RelayAnswer>(dataDir, {
    command,
    region: region ?? null,
    address: address && formatAddress(address),
  });
  if (answer === null) io.err(`no edge or relay that this user may ask runs with ${dataDir}`);
  else if ('error' in answer) io.err(answer.error);
  else return answer;
  return null;
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
  return `this relay${where}: ${isDraining ? 'drains' : 'serves'}, ${tunnels} connections are carried`;
}

export const command: Command = {
  name: 'relay',
  summary: 'say how relays stand, take them out of the answers, and wait for their connections',
  usage: USAGE,
  run,
};
