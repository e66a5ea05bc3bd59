import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** Default and meaning of an option. A boolean default makes a flag, null an option that may be missing. */
type Option = readonly [fallback: string | boolean | null, meaning: string];

type Values<T extends Readonly<Record<string, Option>>> = {
  readonly [K in keyof T]: T[K][0] extends string
    ? string
    : T[K][0] extends boolean
      ? boolean
      : string | undefined;
};

/**
 * Reads a bench's command line. `--help` prints the bench's opening comment and its options, and ends the process.
 * @param url the bench's `import.meta.url`
 */
export function benchOptions<const T extends Readonly<Record<string, Option>>>(
  url: string,
  options: T,
): Values<T> {
  const file = fileURLToPath(url);
  const entries = Object.entries(options).map(([name, [fallback]]) => [
    name,
    typeof fallback === 'boolean'
      ? { type: 'boolean', default: fallback }
      : { type: 'string', default: fallback ?? undefined },
  ]);
  const config: ParseArgsOptionsConfig = { help: { type: 'boolean' }, ...Object.fromEntries(entries) };
  try {
    const values: Record<string, unknown> = parseArgs({ options: config }).values;
    if (values['help'] !== true) return values as Values<T>;
    process.stdout.write(help(file, options));
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(2);
  }
}

/** The opening comment of a bench, by paragraph: the first says what it shows. */
export function paragraphsOf(file: string): string[] {
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(readFileSync(file, 'utf8'))?.[1] ?? '';
  const prose = comment.replace(/^\s*\* ?/gm, '').trim();
  return prose.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/\s+/g, ' '));
}

function help(file: string, options: Readonly<Record<string, Option>>): string {
  const flags = Object.entries(options).map(([name, [fallback, meaning]]) => {
    const shown = typeof fallback === 'string' ? ` (${fallback})` : '';
    return [typeof fallback === 'boolean' ? `--${name}` : `--${name} VALUE`, `${meaning}${shown}`] as const;
  });
  const width = Math.max(...flags.map(([flag]) => flag.length));
  return [
    `npm run bench -- ${basename(file, '.ts')} [OPTIONS]`,
    '',
    ...paragraphsOf(file).flatMap((paragraph) => [paragraph, '']),
    ...flags.map(([flag, meaning]) => `  ${flag.padEnd(width)}  ${meaning}`),
    '',
  ].join('\n');
}
