import { basename, resolve } from 'node:path';
import { differences, formatDifferences, readUncheckedBundle } from '../../catalog/bundle/index.ts';
import {
  formatFinding,
  formatListSource,
  formatServiceFile,
  hasErrors,
  type ImportResult,
  importDomains,
  type ListSource,
  loadServices,
  parseListSource,
  refreshNames,
  type Service,
  type ServiceFile,
} from '../../catalog/index.ts';
import { type Io, UsageError } from '../command.ts';
import { parseOptions } from '../options.ts';
import { readConfig } from '../read-config.ts';
import { filesOfConfig, readBytes, servicesOf } from './files.ts';
import { ListFetcher } from './list-fetcher.ts';
import { versionOf, writeBundle } from './publish.ts';

const GITHUB_LISTS = 'https://raw.githubusercontent.com/{repository}/{ref}/{path}';
/** A branch would not do in `source`: the next refresh compares with the list as it was. */
const COMMIT = /^[\da-f]{7,40}$/;
const EXIT_HELD_BACK = 3;

const OPTIONS = {
  config: { type: 'string' },
  out: { type: 'string' },
  base: { type: 'string' },
  ref: { type: 'string', default: 'master' },
  lists: { type: 'string', default: GITHUB_LISTS },
  version: { type: 'string' },
  accept: { type: 'string', multiple: true },
} as const;

export async function refresh(args: string[], io: Io): Promise<number> {
  const { config, out, base, ref, lists, version, accept = [] } = parseOptions(args, OPTIONS);
  if (out === undefined) throw new UsageError('expected --out FILE');
  if (!/^[\w./-]+$/.test(ref)) throw new UsageError('expected --ref with a commit, branch or tag');
  if (lists !== GITHUB_LISTS && !COMMIT.test(ref))
    throw new UsageError('expected --ref with a commit, as --lists is given');
  const files =
    base === undefined
      ? await filesOfConfig(readConfig(config, io))
      : [...readUncheckedBundle(readBytes(resolve(io.cwd, base))).files];
  const before = servicesOf(files);
  const refresher = new Refresher(files, before, new ListFetcher(lists), { ref, accept });
  for (const service of before) await refresher.service(service);
  io.out(formatDifferences(differences(before, servicesOf(refresher.files))));
  for (const line of refresher.notes) io.err(line);
  const code = writeBundle(refresher.files, resolve(io.cwd, out), versionOf(version), io);
  return code === 0 && refresher.isHeldBack ? EXIT_HELD_BACK : code;
}

/** Service files with their lists' changes, taken one service at a time so that one that clashes stays as it was. */
class Refresher {
  files: ServiceFile[];
  readonly notes: string[] = [];
  isHeldBack = false;
  private readonly lists: ListFetcher;
  private readonly options: { readonly ref: string; readonly accept: readonly string[] };

  constructor(
    files: ServiceFile[],
    services: readonly Service[],
    lists: ListFetcher,
    options: { ref: string; accept: readonly string[] },
  ) {
    this.files = files;
    this.lists = lists;
    this.options = options;
    for (const id of options.accept) {
      if (!services.some(({ service }) => service === id))
        throw new UsageError(`expected --accept with a service, found ${id}`);
    }
  }

  async service(service: Service): Promise<void> {
    const source = parseListSource(service.source);
    if (source === null) return;
    const { ref } = this.options;
    const commit = COMMIT.test(ref) ? ref : await this.lists.commitOf(source.repository, ref);
    const now = { ...source, ref: commit };
    const [before, after] = await Promise.all([this.namesAt(source), this.namesAt(now)]);
    const problems = [...before.errors, ...after.errors];
    if (problems.length > 0) {
      this.hold(service, `${problems[0]!.list}:${problems[0]!.line}: ${problems[0]!.why}`);
      return;
    }
    const { names, exact, suspicion } = refreshNames(service, before, after);
    if (suspicion !== null && !this.options.accept.includes(service.service)) {
      this.hold(service, suspicion);
      return;
    }
    const isSame = sameNames(service, { names, exact });
    // A check or a try of other names says nothing about these.
    const verified = isSame ? service.verified : 'imported';
    this.take(service, { ...service, names, exact, verified, source: formatListSource(now) });
  }

  private take(service: Service, changed: Service): void {
    const before = this.files;
    this.files = before.map((file) => {
      if (file.path !== basename(service.file)) return file;
      return { path: file.path, text: formatServiceFile({ ...changed, comment: commentOf(file.text) }) };
    });
    const { findings } = loadServices(this.files);
    if (!hasErrors(findings)) return;
    this.files = before;
    this.hold(service, formatFinding(findings.find(({ severity }) => severity === 'error')!));
  }

  private hold(service: Service, why: string): void {
    this.isHeldBack = true;
    this.notes.push(`${service.service}: held back, as before: ${why}`);
  }

  private async namesAt(source: ListSource): Promise<ImportResult> {
    const texts = await this.lists.withIncludes(source);
    return importDomains({ list: basename(source.path), read: (list) => texts.get(list) ?? null });
  }
}

type Names = Pick<Service, 'names' | 'exact'>;

function sameNames(before: Names, after: Names): boolean {
  const textOf = ({ names, exact }: Names) => JSON.stringify([names.toSorted(), exact.toSorted()]);
  return textOf(before) === textOf(after);
}

/** Comment lines at the top of a service file. */
function commentOf(text: string): string[] {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines.slice(0, end).map((line) => line.replace(/^# ?/, ''));
}
