/** Lists the benches, or runs one: `npm run bench`, `npm run bench -- NAME [OPTIONS]`. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const DIRECTORY = import.meta.dirname;

const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
const names = files.map((file) => basename(file, '.ts')).sort();
const [name, ...options] = process.argv.slice(2);

/** The first sentence of a bench's opening comment says what it shows. */
function claimOf(bench: string): string {
  const text = readFileSync(join(DIRECTORY, `${bench}.ts`), 'utf8');
  const comment = /^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '';
  const prose = comment.replace(/^\s*\* ?/gm, '').split(/\n\s*\n/, 1)[0]!;
  return prose.replace(/\s+/g, ' ').trim();
}

if (name === undefined) {
  const width = Math.max(...names.map(({ length }) => length));
  for (const bench of names) process.stdout.write(`${bench.padEnd(width)}  ${claimOf(bench)}\n`);
} else if (names.includes(name)) {
  const { status } = spawnSync(process.execPath, [join(DIRECTORY, `${name}.ts`), ...options], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} else {
  process.stderr.write(`no bench ${JSON.stringify(name)}; there are: ${names.join(', ')}\n`);
  process.exitCode = 2;
}
