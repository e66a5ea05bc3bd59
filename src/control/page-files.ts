import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply } from 'fastify';
import Negotiator from 'negotiator';
import { type TSchema, Type } from 'typebox';
import type { App } from './context.ts';
import {
  chooseLanguage,
  compileMessages,
  LANGUAGES,
  type Language,
  type Messages,
  messageFiles,
  readMessages,
} from './languages/index.ts';
import { operation } from './operation.ts';
import type { ControlOptions } from './options.ts';
import { ProblemError } from './problem.ts';
import { closed } from './shapes/common.ts';

const FOLDER = join(import.meta.dirname, 'page');

/** Names of files that are served as they are: no types, no configuration, no templates, no other folder. */
const FILE_NAME = /^[a-z0-9][a-z0-9-]*\.(?:js|svg|png|ico|woff2)$/;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** Style sheets in the order of the cascade; served as one, so that the first paint waits for one reply. */
const STYLES = [
  'tokens',
  'base',
  'frame',
  'cards',
  'buttons',
  'network',
  'lists',
  'fields',
  'guides',
  'checks',
  'messages',
  'sign-in',
  'preferences',
].map((name) => join(FOLDER, 'styles', `${name}.css`));

type PageOptions = Pick<ControlOptions, 'publicUrl' | 'familyUrls' | 'testZone'>;

/** Content made of files. */
interface Source {
  readonly type: string;
  readonly files: readonly string[];
  /** Request fields that choose it; Accept-Encoding alone if not given. */
  readonly vary?: string;
  make(): Promise<string | Buffer>;
}

interface Made {
  readonly modified: string;
  readonly type: string;
  /** By content: tags by size and time could stay the same across releases, as packages set one time on all files. */
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
}

const compress = promisify(gzip);

/** Content in memory, plain and compressed; made again when one of its files has changed. */
class PageContent {
  private readonly known = new Map<string, Made>();

  /** Returns the content named `key`; null without one of its files. */
  async get(key: string, { type, files, make }: Source): Promise<Made | null> {
    const modified = await modifiedTimes(files);
    if (modified === null) return null;
    const known = this.known.get(key);
    if (known?.modified === modified) return known;
    const plain = Buffer.from(await make());
    const etag = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
    const made = { modified, type, etag, plain, gzipped: await compress(plain, { level: 9 }) };
    this.known.set(key, made);
    return made;
  }
}

async function modifiedTimes(files: readonly string[]): Promise<string | null> {
  try {
    const all = await Promise.all(files.map((file) => stat(file)));
    return all.map(({ mtimeMs }) => mtimeMs).join();
  } catch {
    return null;
  }
}

const FileParams = Type.Object({ file: Type.String() });
const PageQuery = Type.Object(
  {
    lang: Type.Optional(
      Type.String({
        maxLength: 35,
        description: 'Language of the page (BCP 47); by default what the browser prefers',
      }),
    ),
  },
  closed,
);

/** Serves the page at `/`, `/sign-in` and `/page/`. Browsers revalidate at every load. */
export async function pageFilesRoutes(app: App, options: PageOptions): Promise<void> {
  const content = new PageContent();
  const policy = contentPolicy(options);
  const send = async (key: string, source: Source | null, request: IncomingMessage, reply: FastifyReply) => {
    const made = source === null ? null : await content.get(key, source);
    if (made === null) throw new ProblemError('not_found');
    const isGzipped = new Negotiator(request).encoding(['gzip', 'identity']) === 'gzip';
    const etag = `"${made.etag}${isGzipped ? '-gzip' : ''}"`;
    const vary = source?.vary ?? 'Accept-Encoding';
    reply.headers({ 'content-security-policy': policy, 'cache-control': 'no-cache', etag, vary });
    if (request.headers['if-none-match'] === etag) return reply.code(304).send(null);
    if (isGzipped) reply.header('content-encoding', 'gzip');
    return reply.type(made.type).send(isGzipped ? made.gzipped : made.plain);
  };

  const addFile = (url: string, name: string, summary: string, sourceOf: (file: string) => Source | null) => {
    app.get(url, describe(name, summary, { params: FileParams }), (request, reply) => {
      const { file } = request.params as { file: string };
      return send(`${url} ${file}`, sourceOf(file), request.raw, reply);
    });
  };
  addFile('/page/:file', 'getPageFile', 'A file of the page', fileSource);
  addFile('/page/messages/:file', 'getPageMessages', 'The texts of the page in a language', messagesSource);

  const addPage = (url: string, name: string, summary: string, template: string) => {
    app.get(url, describe(name, summary, { querystring: PageQuery }), (request, reply) => {
      const language = chooseLanguage(request.raw, (request.query as { lang?: string }).lang);
      reply.header('content-language', language.tag);
      return send(`${url} ${language.tag}`, templateSource(template, language), request.raw, reply);
    });
  };
  addPage('/', 'getPageRoot', 'The DNS Settings page', 'index.html');
  addPage('/sign-in', 'getSignInPage', 'The page that sign-in links lead to', 'sign-in.html');
}

function describe(operationId: string, summary: string, input: { params?: TSchema; querystring?: TSchema }) {
  return operation('anyone', {
    operationId,
    summary,
    tag: 'Page',
    ...input,
    response: {
      200: Type.Unsafe({ description: 'A file', content: { '*/*': { schema: Type.String() } } }),
      304: Type.Null({ description: 'It matches If-None-Match' }),
    },
    problems: ['not_found'],
  });
}

function fileSource(name: string): Source | null {
  if (name === 'styles.css') return { type: TYPES['.css']!, files: STYLES, make: joined };
  if (!FILE_NAME.test(name)) return null;
  const path = join(FOLDER, name);
  return { type: TYPES[extname(name)]!, files: [path], make: () => readFile(path) };
}

async function joined(): Promise<string> {
  const sheets = await Promise.all(STYLES.map((path) => readFile(path, 'utf8')));
  return sheets.join('\n');
}

/** Returns the script with a language's messages, by its name such as `de.js`. */
function messagesSource(name: string): Source | null {
  const language = LANGUAGES.find(({ tag }) => name === `${tag}.js`);
  if (language === undefined) return null;
  const make = async () => compileMessages(language, await readMessages(language));
  return { type: TYPES['.js']!, files: messageFiles(language), make };
}

function templateSource(name: string, language: Language): Source {
  const path = join(FOLDER, name);
  return {
    type: TYPES['.html']!,
    files: [path, ...messageFiles(language)],
    vary: 'Accept-Encoding, Accept-Language, Cookie',
    make: async () => fill(await readFile(path, 'utf8'), language, await readMessages(language)),
  };
}

/** Fills `{{key}}` with messages and `{{lang}}` with the language; `**words**` become bold. */
function fill(template: string, { tag, direction }: Language, messages: Messages): string {
  const page = template.replace('<html lang="en" dir="ltr">', `<html lang="${tag}" dir="${direction}">`);
  return page.replace(/\{\{([\w.-]+)\}\}/g, (_, key: string) => {
    if (key === 'lang') return tag;
    const text = messages[key];
    if (text === undefined) throw new Error(`the page's templates have no message ${key}`);
    return escaped(text).replace(/\*\*(.*?)\*\*/g, '<b>$1</b>');
  });
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
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
