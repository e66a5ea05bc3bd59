import { createHash } from 'node:crypto';
import type { JsonObject } from './openapi.ts';
import { PROBLEMS } from './problem.ts';

/** What the page reads of an OpenAPI document. */
interface Document {
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
}

interface Schema {
  $ref?: string;
  type?: string;
  title?: string;
  description?: string;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  format?: string;
}

const STYLE = `
:root{color-scheme:light dark;--text:#1b1f24;--faint:#59636e;--page:#fff;--box:#f6f8fa;--line:#d1d9e0;--link:#0958c7}
@media(prefers-color-scheme:dark){:root{--text:#e6e9ed;--faint:#9aa4af;--page:#0f1318;--box:#181e25;--line:#323b45;--link:#7db4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.55 system-ui,sans-serif}
main{max-width:58rem;margin:0 auto;padding:2rem 1rem 5rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.35rem;margin:3rem 0 .2rem;padding-top:1rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:0}
h4{font-size:.85rem;margin:1rem 0 .3rem;color:var(--faint);font-weight:600}
p{margin:.5rem 0}
a{color:var(--link)}
code{font:.88em/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
.faint{color:var(--faint)}
nav ul{columns:2 17rem;padding:0;margin:.6rem 0;list-style:none}
nav li{break-inside:avoid;padding:.12rem 0}
article{margin:1.2rem 0;padding:1rem 1.1rem;border:1px solid var(--line);border-radius:.6rem;background:var(--box)}
.call{margin:.2rem 0 .6rem}
.call b{display:inline-block;min-width:4.2rem;font:600 .85rem ui-monospace,monospace}
.who{font-size:.8rem;color:var(--faint);border:1px solid var(--line);border-radius:1rem;padding:.05rem .6rem;margin-left:.5rem;white-space:nowrap}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem}
td,th{text-align:left;vertical-align:top;padding:.35rem .8rem .35rem 0;border-top:1px solid var(--line)}
th{font-weight:600;white-space:nowrap}
tr:first-child>*{border-top:0}
`;

/** The page is text and one style sheet: nothing else may load or run. */
export const DOCS_CONTENT_POLICY =
  `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const METHOD_ORDER = ['get', 'post', 'patch', 'put', 'delete'];

/** Renders an OpenAPI document as a page that needs no script. */
export function renderDocs(source: JsonObject): string {
  const document = source as unknown as Document;
  const { info, servers } = document;
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .sort(([a], [b]) => METHOD_ORDER.indexOf(a) - METHOD_ORDER.indexOf(b))
      .map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name, description }) => {
    const own = calls.filter(({ operation }) => operation.tags.includes(name));
    return { name, description, calls: own };
  });
  const contents = sections
    .flatMap((section) => section.calls)
    .map(({ operation }) => contentsEntry(operation));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(info.title)}</title><style>${STYLE}</style></head><body><main>
<header><h1>${escapeHtml(info.title)}</h1>
<p class="faint">Version ${escapeHtml(info.version)} at <code>${escapeHtml(servers[0]?.url ?? '')}</code>. For programs: <a href="/openapi.json">openapi.json</a></p>
<p>${prose(info.description)}</p></header>
<nav aria-label="Calls"><ul>${contents.join('')}<li><a href="#problems">Problems</a></li></ul></nav>
${sections.map((section) => renderSection(section, document)).join('\n')}
${renderProblems()}
</main></body></html>
`;
}

function contentsEntry({ operationId, summary }: Operation): string {
  return `<li><a href="#${escapeHtml(operationId)}">${escapeHtml(summary)}</a></li>`;
}

interface Call {
  path: string;
  method: string;
  operation: Operation;
}

function renderSection(
  section: { name: string; description: string; calls: Call[] },
  document: Document,
): string {
  const articles = section.calls.map((call) => renderCall(call, document));
  return `<section><h2>${escapeHtml(section.name)}</h2><p class="faint">${prose(section.description)}</p>${articles.join('\n')}</section>`;
}

const WHO: Record<string, string> = {
  adminKey: 'admin key',
  accountSecret: 'account secret',
  updateToken: 'update token',
};

function renderCall({ path, method, operation }: Call, document: Document): string {
  const keys = (operation.security ?? [])
    .flatMap((scheme) => Object.keys(scheme))
    .map((name) => WHO[name] ?? name);
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema;
  const parameters = (operation.parameters ?? []).map((parameter) =>
    row(
      parameter.name,
      parameter.required === true,
      { ...parameter.schema, ...describedBy(parameter) },
      parameter.in,
    ),
  );
  return `<article id="${escapeHtml(operation.operationId)}"><h3>${escapeHtml(operation.summary)}</h3>
<p class="call"><b>${method.toUpperCase()}</b><code>${escapeHtml(path)}</code><span class="who">${escapeHtml(keys.join(' or ') || 'anyone')}</span></p>
${operation.description === undefined ? '' : `<p>${prose(operation.description)}</p>`}
${parameters.length === 0 ? '' : table('Parameters', parameters)}
${body?.properties === undefined ? '' : fieldTable('Body', body)}
${table(
  'Replies',
  Object.entries(operation.responses).map(([status, reply]) => replyRow(status, reply)),
)}
${shownReplies(operation, document)}</article>`;
}

function describedBy({ description }: { description?: string }): { description?: string } {
  return description === undefined ? {} : { description };
}

/** The fields of the first good reply that has any. */
function shownReplies({ responses }: Operation, document: Document): string {
  for (const [status, reply] of Object.entries(responses)) {
    const schema = resolve(Object.values(reply.content ?? {})[0]?.schema, document);
    if (status.startsWith('2') && schema?.properties !== undefined)
      return fieldTable('Fields of the reply', schema);
  }
  return '';
}

function resolve(schema: Schema | undefined, document: Document): Schema | undefined {
  const name = schema?.$ref?.split('/').at(-1);
  return name === undefined ? schema : document.components.schemas[name];
}

function fieldTable(title: string, schema: Schema): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    row(name, schema.required?.includes(name) === true, field, null),
  );
  return rows.length === 0 ? '' : table(title, rows);
}

function table(title: string, rows: readonly string[]): string {
  return `<h4>${escapeHtml(title)}</h4><div class="scroll"><table>${rows.join('')}</table></div>`;
}

function row(name: string, isRequired: boolean, schema: Schema, place: string | null): string {
  const where = place === null ? '' : ` in ${place}`;
  const need = isRequired ? '' : ', optional';
  return `<tr><th scope="row"><code>${escapeHtml(name)}</code></th><td class="faint">${escapeHtml(typeName(schema))}${escapeHtml(where)}${need}</td><td>${prose(schema.description ?? '')}</td></tr>`;
}

function replyRow(status: string, { description }: { description: string }): string {
  return `<tr><th scope="row">${escapeHtml(status)}</th><td>${prose(description)}</td></tr>`;
}

/** A schema's type in a few words. */
function typeName(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1)!;
  if (schema.anyOf !== undefined) return schema.anyOf.map((option) => typeName(option)).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  if (schema.minimum !== undefined && schema.maximum !== undefined) {
    return `${schema.type} ${schema.minimum} to ${schema.maximum}`;
  }
  return schema.format ?? schema.type ?? 'any';
}

function renderProblems(): string {
  const rows = Object.entries(PROBLEMS).map(
    ([code, { status, title }]) =>
      `<tr id="problem-${code}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${escapeHtml(title)}</td></tr>`,
  );
  return `<section id="problems"><h2>Problems</h2><p class="faint">The <code>code</code> of a failure, and its status.</p><div class="scroll"><table>${rows.join('')}</table></div></section>`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Escaped text in which `code` between backquotes is set as such. */
function prose(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}
