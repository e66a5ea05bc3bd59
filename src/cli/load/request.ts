import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  assertAllowedTarget,
  checkPlan,
  KINDS,
  type LoadPlan,
  LoadPlanError,
  NO_SOURCES,
  parseAllowList,
  parseShares,
  QUERY_TYPES,
  type Sources,
  sourcesOf,
  type Thresholds,
  TRANSPORTS,
} from '../../load/index.ts';
import { parsePrefix, parseSocketAddress, type SocketAddress } from '../../net/index.ts';
import { nameFromText } from '../../wire/index.ts';
import { UsageError } from '../command.ts';
import { parseOptions } from '../options.ts';

/** Parsed command line of `load`. */
export interface LoadRequest {
  readonly plan: LoadPlan;
  readonly thresholds: Thresholds;
  /** Absolute path, or null. */
  readonly prometheus: string | null;
  readonly json: boolean;
}

const WELL_KNOWN_NAMES = [
  'netflix.com',
  'www.netflix.com',
  'api-global.netflix.com',
  'disneyplus.com',
  'www.disneyplus.com',
  'hulu.com',
  'www.hulu.com',
  'www.bbc.co.uk',
  'max.com',
  'www.max.com',
];
const HITS = 200;

const OPTIONS = {
  target: { type: 'string' },
  allow: { type: 'string' },
  transport: { type: 'string', default: 'udp' },
  rate: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string', default: '1' },
  'timeout-ms': { type: 'string', default: '2000' },
  mix: { type: 'string', default: 'catalog=100' },
  types: { type: 'string', default: 'A=100' },
  names: { type: 'string' },
  hits: { type: 'string' },
  base: { type: 'string', default: 'load.example' },
  'no-edns': { type: 'boolean', default: false },
  sources: { type: 'string', multiple: true },
  unregistered: { type: 'string', multiple: true },
  'unregistered-share': { type: 'string', default: '0' },
  connections: { type: 'string', default: '4' },
  path: { type: 'string', default: '/dns-query' },
  ca: { type: 'string' },
  'server-name': { type: 'string' },
  insecure: { type: 'boolean', default: false },
  'max-p99-ms': { type: 'string' },
  'max-loss-percent': { type: 'string' },
  prometheus: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof parseOptions<typeof OPTIONS>>;

/** @throws UsageError; LoadPlanError for an impossible plan; TargetRefusedError; system errors of unreadable files */
export function readLoadRequest(args: readonly string[], cwd: string): LoadRequest {
  const values = parseOptions(args, OPTIONS);
  const read = (file: string): string => readFileSync(resolve(cwd, file), 'utf8');
  const target = targetOf(values, read);
  const { family } = target.address;
  const plan: LoadPlan = {
    target,
    transport: oneOf(values.transport, TRANSPORTS, '--transport'),
    ratePerSecond: requiredNumber(values.rate, '--rate'),
    seconds: requiredNumber(values.seconds, '--seconds'),
    warmUpSeconds: numberOf(values['warm-up'], '--warm-up'),
    timeoutMs: numberOf(values['timeout-ms'], '--timeout-ms'),
    mix: parseShares(values.mix, KINDS, 'mix'),
    types: parseShares(values.types, QUERY_TYPES, 'mix of types'),
    names: namesOf(values, read),
    sources: sources(values.sources, family, '--sources'),
    unregistered: sources(values.unregistered, family, '--unregistered'),
    unregisteredPercent: numberOf(values['unregistered-share'], '--unregistered-share'),
    connections: numberOf(values.connections, '--connections'),
    tls: {
      serverName: values['server-name'] ?? null,
      ca: values.ca === undefined ? null : read(values.ca),
      verifies: !values.insecure,
    },
    path: values.path,
    edns: !values['no-edns'],
  };
  checkPlan(plan);
  return {
    plan,
    thresholds: {
      maxP99Ms: optionalNumber(values['max-p99-ms'], '--max-p99-ms'),
      maxLossPercent: optionalNumber(values['max-loss-percent'], '--max-loss-percent'),
    },
    prometheus: values.prometheus === undefined ? null : resolve(cwd, values.prometheus),
    json: values.json,
  };
}

function targetOf(values: Values, read: (file: string) => string): SocketAddress {
  const { target: text, allow } = values;
  if (text === undefined) throw new UsageError('expected --target');
  const target = parseSocketAddress(text);
  if (target === null) {
    throw new UsageError(`found --target ${JSON.stringify(text)}, expected an address and port`);
  }
  assertAllowedTarget(target.address, allow === undefined ? [] : parseAllowList(read(allow), allow));
  return target;
}

function namesOf(values: Values, read: (file: string) => string): LoadPlan['names'] {
  const missBase = wireName(values.base, '--base');
  const hits = Array.from({ length: HITS }, (_, i) => `hit-${i}.${values.base}`);
  return {
    catalog: wireNames(
      values.names === undefined ? WELL_KNOWN_NAMES : linesOf(read(values.names)),
      '--names',
    ),
    hits: wireNames(values.hits === undefined ? hits : linesOf(read(values.hits)), '--hits'),
    missBase,
  };
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

const wireNames = (names: readonly string[], option: string): Uint8Array[] =>
  names.map((name) => wireName(name, option));

function wireName(text: string, option: string): Uint8Array {
  const name = nameFromText(text);
  if (name === null) throw new LoadPlanError(`found ${JSON.stringify(text)} in ${option}, expected a name`);
  return name;
}

function sources(texts: readonly string[] | undefined, family: 4 | 6, option: string): Sources {
  if (texts === undefined) return NO_SOURCES(family);
  const prefixes = texts.map((text) => {
    const prefix = parsePrefix(text.includes('/') ? text : `${text}/${family === 4 ? 32 : 128}`);
    if (prefix === null) {
      throw new LoadPlanError(`found ${option} ${JSON.stringify(text)}, expected a prefix as 127.0.1.0/24`);
    }
    return prefix;
  });
  return sourcesOf(prefixes, family);
}

function oneOf<T extends string>(text: string, known: readonly T[], option: string): T {
  const found = known.find((name) => name === text);
  if (found === undefined) {
    throw new UsageError(`found ${option} ${JSON.stringify(text)}, expected ${known.join(', ')}`);
  }
  return found;
}

function requiredNumber(text: string | undefined, option: string): number {
  if (text === undefined) throw new UsageError(`expected ${option}`);
  return numberOf(text, option);
}

function optionalNumber(text: string | undefined, option: string): number | null {
  return text === undefined ? null : numberOf(text, option);
}

function numberOf(text: string, option: string): number {
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(text)) {
    throw new UsageError(`found ${option} ${JSON.stringify(text)}, expected a number`);
  }
  return Number(text);
}
