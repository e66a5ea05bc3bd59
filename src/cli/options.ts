import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './command.ts';

type OptionTable = NonNullable<ParseArgsConfig['options']>;

/** The options of a command that takes no other arguments. Throws UsageError for what it does not know. */
export function parseOptions<const T extends OptionTable>(args: readonly string[], options: T) {
  return parse(args, options, false).values;
}

/** The options of a command, and its other arguments. Throws UsageError for options that it does not know. */
export function parseArguments<const T extends OptionTable>(args: readonly string[], options: T) {
  return parse(args, options, true);
}

function parse<const T extends OptionTable>(args: readonly string[], options: T, allowPositionals: boolean) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (error) {
    // What follows the first sentence is advice for programs that take any argument.
    throw new UsageError((error as Error).message.replace(/\. .*$/s, '').replace(/^(.)/, lower));
  }
}

function lower(letter: string): string {
  return letter.toLowerCase();
}
