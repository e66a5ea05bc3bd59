import type { Dispatcher } from 'undici';
import type { ServiceCheck } from './check.ts';
import { type Judgement, judgeReply } from './judge.ts';

/** Bytes of a body, after decompression, that are looked at. */
export const MAX_CHECKED_BYTES = 65_536;
const MOST_REDIRECTS = 3;
/** Fields of an ordinary browser: many services answer nothing useful without them. */
const HEADERS = {
  accept: 'text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8',
  'accept-language': 'en-US,en;q=0.9',
  'user-agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
};

export interface RunCheckOptions {
  /** Makes the connections: by the relay's egress, or through a relay. */
  readonly dispatcher: Dispatcher;
  /** Region to compare countries with; null: any will do. */
  readonly region: string | null;
  /** Tells whether a redirect to this host is followed. */
  readonly covers: (host: string) => boolean;
  /** Time for everything, redirects included. */
  readonly timeoutMs: number;
}

/** Makes a check's request and judges the reply. Redirects within the service's names are followed, three at most. */
export async function runCheck(check: ServiceCheck, options: RunCheckOptions): Promise<Judgement> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  let url = check.url;
  try {
    for (let redirects = 0; ; redirects++) {
      const reply = await request(url, check.method, options.dispatcher, signal);
      const judgement = judgeReply(check, reply, options.region);
      const next =
        judgement.verdict === 'unknown' && redirects < MOST_REDIRECTS ? redirectOf(reply, url) : null;
      if (next === null || !options.covers(next.hostname)) return judgement;
      url = next.href;
    }
  } catch (error) {
    return { verdict: 'unreachable', reason: codeOf(error), country: null };
  }
}

async function request(url: string, method: string, dispatcher: Dispatcher, signal: AbortSignal) {
  // Imported lazily: processes that check nothing don't load it.
  const { fetch } = await import('undici');
  const response = await fetch(url, { method, headers: HEADERS, redirect: 'manual', dispatcher, signal });
  return {
    status: response.status,
    header: (name: string) => response.headers.get(name),
    body: await readStart(response.body),
  };
}

/** Reads up to 64 KiB and gives the rest up. */
async function readStart(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    parts.push(part);
    length += part.length;
    if (length >= MAX_CHECKED_BYTES) break;
  }
  return Buffer.concat(parts).toString('utf8', 0, MAX_CHECKED_BYTES);
}

function redirectOf({ status, header }: Awaited<ReturnType<typeof request>>, from: string): URL | null {
  const location = status >= 300 && status < 400 ? header('location') : null;
  const url = location === null ? null : URL.parse(location, from);
  return url?.protocol === 'https:' && url.port === '' ? url : null;
}

/** Codes say enough; messages may hold addresses. */
function codeOf(error: unknown): string {
  const { name, code, cause } = error as { name?: string; code?: unknown; cause?: { code?: string } };
  if (name === 'TimeoutError') return 'timeout';
  return cause?.code ?? (typeof code === 'string' ? code : (name ?? 'an error'));
}
