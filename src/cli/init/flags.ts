import { UsageError } from '../command.ts';
import { parseOptions } from '../options.ts';

export interface InitFlags {
  readonly domain: string | undefined;
  readonly address: string | undefined;
  readonly address6: string | undefined;
  /** Address of this host that `address` is mapped to (1:1 NAT). */
  readonly listen: string | undefined;
  readonly email: string | undefined;
  /** Directory URL of the CA; undefined: Let's Encrypt. */
  readonly acme: string | undefined;
  readonly dir: string | undefined;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly start: boolean;
  readonly undo: boolean;
}

/** @throws UsageError */
export function readFlags(args: readonly string[]): InitFlags {
  const values = parseOptions(args, {
    domain: { type: 'string' },
    address: { type: 'string' },
    address6: { type: 'string' },
    listen: { type: 'string' },
    email: { type: 'string' },
    acme: { type: 'string' },
    dir: { type: 'string' },
    yes: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    'no-start': { type: 'boolean' },
    undo: { type: 'boolean' },
  });
  const { domain, address, address6, listen, email, acme, dir } = values;
  if (acme !== undefined && !/^https?:\/\/\S+$/.test(acme)) {
    throw new UsageError('expected --acme with the URL of a CA’s directory');
  }
  return {
    domain,
    address,
    address6,
    listen,
    email,
    acme,
    dir,
    yes: values.yes === true,
    dryRun: values['dry-run'] === true,
    start: values['no-start'] !== true,
    undo: values.undo === true,
  };
}
