import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from 'typebox';
import type { App } from './context.ts';
import { operation } from './operation.ts';
import { ProblemError } from './problem.ts';

const FOLDER = join(import.meta.dirname, 'page');

/** What of the page's folder is served, by the end of its name. */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  webmanifest: 'application/manifest+json',
  woff2: 'font/woff2',
};
const FILE_NAME = /^[a-z0-9][a-z0-9-]*\.([a-z0-9]+)$/;

interface PageFile {
  type: string;
  bytes: Buffer;
  etag: string;
  modifiedMs: number;
}

export interface PageOptions {
  publicUrl: string;
  familyUrls?: { readonly ipv4: string | null; readonly ipv6: string | null };
  testZone?: string | null;
}

/** The page's files, read when they are first asked for and again when they have changed. */
class PageFiles {
  private readonly files = new Map<string, PageFile>();

  /** @returns null where there is no such file, or none of a kind that is served */
  async get(name: string): Promise<PageFile | null> {
    const type = TYPES[FILE_NAME.exec(name)?.[1] ?? ''];
    if (type === undefined) return null;
    const path = join(FOLDER, name);
    const found = await stat(path).catch(() => null);
    if (found === null) return null;
    const known = this.files.get(name);
    if (known?.modifiedMs === found.mtimeMs) return known;
    const bytes = await readFile(path);
    const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
    const file = { type, bytes, etag, modifiedMs: found.mtimeMs };
    this.files.set(name, file);
    return file;
  }
}

/** Serves the page at `/`, `/sign-in` and `/page/`; a browser asks each time whether what it holds is still right. */
export function pageFilesRoutes(app: App, options: PageOptions): void {
  const files = new PageFiles();
  const policy = contentPolicy(options);
  const add = (url: string, operationId: string, summary: string, nameOf: (params: unknown) => string) => {
    const route = operation('anyone', {
      operationId,
      summary,
      tag: 'Page',
      ...(url.includes(':') ? { params: Type.Object({ file: Type.String() }) } : {}),
      response: {
        200: Type.Unsafe({ description: 'A file', content: { '*/*': { schema: Type.String() } } }),
        304: Type.Null({ description: 'It is the one that If-None-Match names' }),
      },
      problems: ['not_found'],
    });
    app.get(url, route, async (request, reply) => {
      const file = await files.get(nameOf(request.params));
      if (file === null) throw new ProblemError('not_found');
      reply.headers({ 'content-security-policy': policy, 'cache-control': 'no-cache', etag: file.etag });
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send(null);
      return reply.type(file.type).send(file.bytes);
    });
  };
  add('/', 'getPageRoot', 'The DNS Settings page', () => 'index.html');
  add('/sign-in', 'getSignInPage', 'Where a sign-in link leads', () => 'sign-in.html');
  add('/page/:file', 'getPageFile', 'A file of the page', (params) => (params as { file: string }).file);
}

/** The page loads from its own origin alone; the self-test and the other family's registration are elsewhere. */
function contentPolicy({ publicUrl, familyUrls, testZone = null }: PageOptions): string {
  const { protocol, port } = new URL(publicUrl);
  const suffix = port === '' ? '' : `:${port}`;
  const probes =
    testZone === null
      ? []
      : ['reached', 'registered'].map((name) => `${protocol}//*.${name}.${testZone}${suffix}`);
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
