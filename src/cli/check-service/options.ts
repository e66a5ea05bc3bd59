import { formatAddress, parseAddress } from '../../net/index.ts';
import { UsageError } from '../command.ts';
import { parseArguments } from '../options.ts';

const DEFAULT_TIMEOUT_SECONDS = 12;

export interface CheckServiceOptions {
  /** Service id, or one host name of the catalog. */
  readonly name: string;
  readonly config: string | undefined;
  readonly region: string | null;
  /** Canonical address; null with `region`, or for the service's usual relay. */
  readonly relay: string | null;
  /** Null: health.port. */
  readonly port: number | null;
  readonly timeoutMs: number;
  readonly strict: boolean;
  readonly json: boolean;
}

/** @throws UsageError */
export function parseCheckServiceOptions(args: readonly string[]): CheckServiceOptions {
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
  return {
    name: positionals[0],
    config: values.config,
    region: values.region ?? null,
    relay: values.relay === undefined ? null : canonicalAddress(values.relay),
    port: values.port === undefined ? null : wholeNumber(values.port, '--port', 65_535),
    timeoutMs:
      1000 *
      (values.timeout === undefined
        ? DEFAULT_TIMEOUT_SECONDS
        : wholeNumber(values.timeout, '--timeout', 600)),
    strict: values.strict === true,
    json: values.json === true,
  };
}

function canonicalAddress(text: string): string {
  const address = parseAddress(text);
  if (address === null) throw new UsageError('expected --relay with an address');
  return formatAddress(address);
}

function wholeNumber(text: string, option: string, maximum: number): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > maximum) {
    throw new UsageError(`expected ${option} with a number from 1 to ${maximum}`);
  }
  return number;
}
