/** Lists the benches, or runs one: `npm run bench`, `npm run bench -- NAME [OPTIONS]`, `npm run bench -- NAME --help`. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { paragraphsOf } from './support/options.ts';

const DIRECTORY = import.meta.dirname;

const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
const names = files.map((file) => basename(file, '.ts')).sort();
const [name, ...options] = process.argv.slice(2);

if (name === undefined || name === '--help') {
  const width = Math.max(...names.map(({ length }) => length));
  for (const bench of names) {
    process.stdout.write(`${bench.padEnd(width)}  ${paragraphsOf(join(DIRECTORY, `${bench}.ts`))[0]}\n`);
  }
} else if (names.includes(name)) {
  const { status } = spawnSync(process.execPath, [join(DIRECTORY, `${name}.ts`), ...options], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} else {
  process.stderr.write(`no bench ${JSON.stringify(name)}; there are: ${names.join(', ')}\n`);
  process.exitCode = 2;
}
