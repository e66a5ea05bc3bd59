import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { Type } from 'typebox';
import type { App } from './context.ts';
import { operation } from './operation.ts';
import type { ControlOptions } from './options.ts';
import { ProblemError } from './problem.ts';

const FOLDER = join(import.meta.dirname, 'page');

/** Names of files that are served: no types, no configuration, no other folder. */
const FILE_NAME = /^[a-z0-9][a-z0-9-]*\.(?:html|css|js|svg|png|ico|webmanifest|woff2)$/;

type PageOptions = Pick<ControlOptions, 'publicUrl' | 'familyUrls' | 'testZone'>;

/**
 * Entity tags by content. Tags by size and modification time, as @fastify/static makes them, could stay the same
 * across releases, because packages and images may set one time on all files.
 */
class ContentTags {
  private readonly tags = new Map<string, { etag: string; modifiedMs: number }>();

  /** Returns the tag of a file, hashed again when the file has changed; null if there is no such file. */
  async get(path: string): Promise<string | null> {
    const stats = await stat(path).catch(() => null);
    if (stats === null) return null;
    const known = this.tags.get(path);
    if (known?.modifiedMs === stats.mtimeMs) return known.etag;
    const hash = createHash('sha256').update(await readFile(path));
    const etag = `"${hash.digest('base64url').slice(0, 22)}"`;
    this.tags.set(path, { etag, modifiedMs: stats.mtimeMs });
    return etag;
  }
}

/** Serves the page at `/`, `/sign-in` and `/page/`. Browsers revalidate at every load. */
export async function pageFilesRoutes(app: App, options: PageOptions): Promise<void> {
  await app.register(fastifyStatic, { root: FOLDER, serve: false });
  const tags = new ContentTags();
  const policy = contentPolicy(options);
  const add = (url: string, operationId: string, summary: string, folder: string, page?: string) => {
    const route = operation('anyone', {
      operationId,
      summary,
      tag: 'Page',
      ...(page === undefined ? { params: Type.Object({ file: Type.String() }) } : {}),
      response: {
        200: Type.Unsafe({ description: 'A file', content: { '*/*': { schema: Type.String() } } }),
        304: Type.Null({ description: 'It matches If-None-Match' }),
      },
      problems: ['not_found'],
    });
    app.get(url, route, async (request, reply) => {
      const name = page ?? (request.params as { file: string }).file;
      const etag = FILE_NAME.test(name) ? await tags.get(join(FOLDER, folder, name)) : null;
      if (etag === null) throw new ProblemError('not_found');
      reply.headers({ 'content-security-policy': policy, 'cache-control': 'no-cache', etag });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send(null);
      const sendOptions = { etag: false, lastModified: false, cacheControl: false };
      return reply.sendFile(name, join(FOLDER, folder), sendOptions);
    });
  };
  add('/', 'getPageRoot', 'The DNS Settings page', '', 'index.html');
  add('/sign-in', 'getSignInPage', 'The page that sign-in links lead to', '', 'sign-in.html');
  add('/page/:file', 'getPageFile', 'A file of the page', '');
  add('/page/styles/:file', 'getPageStyle', 'A style sheet of the page', 'styles');
}

/** Allows the page's own origin, plus the self-test's names and the API by one address family. */
function contentPolicy({ publicUrl, familyUrls, testZone = null }: PageOptions): string {
  const { protocol, port } = new URL(publicUrl);
  const suffix = port === '' ? '' : `:${port}`;
  const probes =
    testZone === null
      ? []
      : ['reached', 'registered', 'relayed'].map((name) => `${protocol}//*.${name}.${testZone}${suffix}`);
  const families = [familyUrls?.ipv4, familyUrls?.ipv6].flatMap((url) =>
    url == null ? [] : [new URL(url).origin],
  );
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    ["img-src 'self'", ...probes].join(' '),
    ["connect-src 'self'", ...families, ...probes].join(' '),
    "manifest-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
