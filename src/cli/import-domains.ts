import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { ImportNote, ImportResult, Service } from '../catalog/index.ts';
import {
  formatFinding,
  formatServiceFile,
  hasErrors,
  importDomains,
  loadServices,
} from '../catalog/index.ts';
import { replaceFile } from '../sys/index.ts';
import { type Command, type Io, UsageError } from './command.ts';

const USAGE = `Usage: mediastreamer import-domains [options] FILE

Converts a domain list (v2fly domain-list-community format) to a catalog file. Lists that FILE includes are read from
its directory. Each line that a catalog cannot express is reported as file:line: text: reason.

  --service ID        service id (default: the list's name)
  --title TEXT        title
  --regions A,B       regions where the service is available, the most usual first
  --out FILE          file to write (default: standard output)
  --force             overwrite FILE; keeps its title, regions and source unless given here
  --source TEXT       origin of the list (default: its name)
  --without A,B       leave out these names and everything below them; include:LIST leaves out an included list
  --with-ads          include lines marked @ads

Exit codes: 0 done, 1 errors (nothing written), 2 bad usage, 3 written, some lines not expressible.
`;

/** Less the umask, as for any new file. */
const OUTPUT_MODE = 0o666;
const EXIT = { done: 0, failed: 1, unexpressed: 3 } as const;

interface Request {
  readonly file: string;
  readonly list: string;
  readonly service: string;
  readonly title: string | undefined;
  readonly regions: string[] | undefined;
  readonly source: string | undefined;
  readonly out: string | null;
  readonly force: boolean;
  readonly without: string[];
  readonly withAds: boolean;
}

const OPTIONS = {
  service: { type: 'string' },
  title: { type: 'string' },
  regions: { type: 'string' },
  out: { type: 'string' },
  source: { type: 'string' },
  without: { type: 'string', multiple: true },
  force: { type: 'boolean', default: false },
  'with-ads': { type: 'boolean', default: false },
} as const;

/** Ends the command with one line and exit code 1. */
class ImportError extends Error {
  readonly code = 'import_failed';
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readRequest(args: string[], cwd: string): Request {
  const { values, positionals } = parse(args);
  if (positionals.length !== 1) throw new UsageError('expected one FILE');
  const file = resolve(cwd, positionals[0] as string);
  const list = basename(file).toLowerCase();
  return {
    file,
    list,
    service: values.service ?? list,
    title: values.title,
    regions: values.regions === undefined ? undefined : splitList(values.regions),
    source: values.source,
    out: values.out === undefined ? null : resolve(cwd, values.out),
    force: values.force,
    without: (values.without ?? []).flatMap(splitList),
    withAds: values['with-ads'],
  };
}

/** Reads a file; null if it does not exist. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return null;
    throw new ImportError(`${path}: ${code ?? 'not readable'}`);
  }
}

/** Reads the service in `out`, whose fields fill in for missing options; null if there is none. */
function readExisting(request: Request): Service | null {
  if (request.out === null) return null;
  const text = readText(request.out);
  if (text === null) return null;
  if (!request.force) throw new ImportError(`${request.out} exists: --force overwrites it`);
  const { services, findings } = loadServices([{ path: request.out, text }]);
  const existing = services[0];
  if (existing === undefined || hasErrors(findings)) return null;
  if (existing.service !== request.service) {
    throw new ImportError(`${request.out} holds ${existing.service}, not ${request.service}`);
  }
  return existing;
}

function report(io: Io, notes: readonly ImportNote[], directory: string): void {
  for (const { list, line, text, why } of notes)
    io.err(`${resolve(directory, list)}:${line}: ${text}: ${why}`);
}

/** Builds the file's text and checks it as the catalog will. @throws UsageError if an option is missing */
function compose(request: Request, result: ImportResult, existing: Service | null, io: Io): string {
  const title = request.title ?? existing?.title;
  const regions = request.regions ?? existing?.regions;
  if (title === undefined) throw new UsageError('expected --title');
  if (regions === undefined) throw new UsageError('expected --regions');
  const text = formatServiceFile({
    comment: [`Imported by import-domains from the domain list "${request.list}".`],
    service: request.service,
    title,
    regions,
    names: result.names,
    exact: result.exact,
    verified: 'imported',
    check: existing?.check ?? null,
    source: request.source ?? existing?.source ?? `domain list ${request.list}`,
  });
  const { findings } = loadServices([{ path: request.out ?? 'standard output', text }]);
  for (const finding of findings) io.err(formatFinding(finding));
  if (hasErrors(findings)) throw new ImportError('nothing was written');
  return text;
}

function writeOut(path: string, text: string): void {
  try {
    replaceFile(path, text, { mode: OUTPUT_MODE });
  } catch (error) {
    throw new ImportError(`${path}: ${(error as NodeJS.ErrnoException).code ?? 'not writable'}`);
  }
}

async function importFile(request: Request, io: Io): Promise<number> {
  const directory = dirname(request.file);
  const existing = readExisting(request);
  const read = (list: string) => {
    if (list === request.list) return readText(request.file);
    return /^[a-z0-9!_-]+$/.test(list) ? readText(resolve(directory, list)) : null;
  };
  if (read(request.list) === null) throw new ImportError(`${request.file}: no such file`);
  const result = importDomains({ ...request, read });
  report(io, result.errors, directory);
  for (const item of result.unmatched) io.err(`--without ${item}: matches nothing in the list`);
  if (result.errors.length + result.unmatched.length > 0) return EXIT.failed;
  const text = compose(request, result, existing, io);
  report(io, result.unexpressed, directory);
  if (request.out === null) io.out(text);
  else writeOut(request.out, text);
  return result.unexpressed.length === 0 ? EXIT.done : EXIT.unexpressed;
}

async function run(args: string[], io: Io): Promise<number> {
  const request = readRequest(args, io.cwd);
  try {
    return await importFile(request, io);
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    io.err(error.message);
    return EXIT.failed;
  }
}

export const command: Command = {
  name: 'import-domains',
  summary: 'turn a v2fly domain list into a catalog file',
  usage: USAGE,
  run,
};
