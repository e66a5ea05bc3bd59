import { posix } from 'node:path';
import { BundleError } from '../../catalog/bundle/index.ts';
import { includedLists, type ListSource } from '../../catalog/index.ts';

const TIMEOUT_MS = 30_000;
const MAX_LIST_CHARACTERS = 4 * 1024 * 1024;
/** Lists that one list may include in all, directly or not. */
const MAX_INCLUDED = 500;

/** Fetches domain lists, each once. */
export class ListFetcher {
  private readonly template: string;
  private readonly texts = new Map<string, Promise<string | null>>();

  /** @param template URL with {repository}, {ref} and {path} */
  constructor(template: string) {
    this.template = template;
  }

  /**
   * Texts of a list and of all lists that it includes, by name. Lists that are missing are left out.
   * @throws BundleError `bundle_unavailable`
   */
  async withIncludes(source: ListSource): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const waiting = [posix.basename(source.path)];
    for (let list = waiting.pop(); list !== undefined; list = waiting.pop()) {
      if (found.has(list) || !/^[\w!.-]+$/.test(list)) continue;
      if (found.size > MAX_INCLUDED) throw unavailable(source.path, `over ${MAX_INCLUDED} included lists`);
      const text = await this.fetch({ ...source, path: posix.join(posix.dirname(source.path), list) });
      if (text === null) continue;
      found.set(list, text);
      waiting.push(...includedLists(text));
    }
    return found;
  }

  /** The commit that a branch or tag of a repository on GitHub names. @throws BundleError `bundle_unavailable` */
  async commitOf(repository: string, ref: string): Promise<string> {
    const url = `https://api.github.com/repos/${repository}/commits/${ref}`;
    const known = this.texts.get(url) ?? fetchText(url, { accept: 'application/vnd.github.sha' });
    this.texts.set(url, known);
    const commit = await known;
    if (commit === null || !/^[\da-f]{40}$/.test(commit))
      throw unavailable(url, 'no such commit, branch or tag');
    return commit;
  }

  private fetch({ repository, ref, path }: ListSource): Promise<string | null> {
    const values: Readonly<Record<string, string>> = { repository, ref, path };
    const url = this.template.replace(/\{(\w+)\}/g, (text, key: string) => values[key] ?? text);
    const known = this.texts.get(url) ?? fetchText(url);
    this.texts.set(url, known);
    return known;
  }
}

/** @returns null if there is no such file */
async function fetchText(url: string, headers: Record<string, string> = {}): Promise<string | null> {
  const { request } = await import('undici');
  try {
    const { statusCode, body } = await request(url, {
      headers: { 'user-agent': 'mediastreamer', ...headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (statusCode !== 200) {
      await body.dump();
      if (statusCode === 404) return null;
      throw unavailable(url, `the server answered ${statusCode}, expected 200`);
    }
    const text = await body.text();
    if (text.length > MAX_LIST_CHARACTERS) throw unavailable(url, 'too long for a domain list');
    return text;
  } catch (error) {
    if (error instanceof BundleError) throw error;
    const { code, name } = error as { code?: string; name?: string };
    throw unavailable(url, code ?? name ?? 'an error');
  }
}

function unavailable(url: string, reason: string): BundleError {
  return new BundleError('bundle_unavailable', `${url}: ${reason}`);
}
