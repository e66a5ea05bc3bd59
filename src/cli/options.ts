import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './command.ts';

type OptionTable = NonNullable<ParseArgsConfig['options']>;

/** Parses the options of a command that takes no other arguments. @throws UsageError */
export function parseOptions<const T extends OptionTable>(args: readonly string[], options: T) {
  return parse(args, options, false).values;
}

/** Parses the options and the other arguments of a command. @throws UsageError for unknown options */
export function parseArguments<const T extends OptionTable>(args: readonly string[], options: T) {
  return parse(args, options, true);
}

function parse<const T extends OptionTable>(args: readonly string[], options: T, allowPositionals: boolean) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    // Node's further sentences are advice for programs that accept any argument.
    throw new UsageError((error as Error).message.replace(/\. .*$/s, '').replace(/^(.)/, lower));
  }
}

function lower(letter: string): string {
  return letter.toLowerCase();
}
