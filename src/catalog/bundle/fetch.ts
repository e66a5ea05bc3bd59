import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { MAX_BUNDLE_BYTES } from './bundle.ts';
import { BundleError } from './bundle-error.ts';

const TIMEOUT_MS = 60_000;

export interface FetchedBundle {
  readonly bytes: Buffer;
  /** To send with the next request; null if the server gave none. */
  readonly etag: string | null;
}

/**
 * Fetches a bundle from an http://, https:// or file:// URL. Redirects are not followed.
 * @param etag of the last fetch; null asks for the file in any case
 * @returns null if it has not changed since
 * @throws BundleError `bundle_unavailable`, `bundle_too_large`
 */
export async function fetchBundle(url: string, etag: string | null): Promise<FetchedBundle | null> {
  if (url.startsWith('file:')) return readBundleFile(url);
  // Imported lazily: a process without a bundle doesn't load it.
  const { request } = await import('undici');
  const headers = etag === null ? {} : { 'if-none-match': etag };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const reply = await request(url, { headers, signal });
    if (reply.statusCode === 304) {
      await reply.body.dump();
      return null;
    }
    if (reply.statusCode !== 200) {
      await reply.body.dump();
      throw unavailable(`the server answered ${reply.statusCode}, expected 200`);
    }
    const tag = reply.headers['etag'];
    return { bytes: await readBody(reply.body), etag: typeof tag === 'string' ? tag : null };
  } catch (error) {
    if (error instanceof BundleError) throw error;
    throw unavailable(reasonOf(error));
  }
}

async function readBundleFile(url: string): Promise<FetchedBundle> {
  try {
    return { bytes: await readFile(fileURLToPath(url)), etag: null };
  } catch (error) {
    throw unavailable(reasonOf(error));
  }
}

async function readBody(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > MAX_BUNDLE_BYTES) {
      const message = `the file goes on after ${MAX_BUNDLE_BYTES} bytes, the most that a bundle may have`;
      throw new BundleError('bundle_too_large', message);
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** System codes and undici's codes say enough; their messages may hold addresses. */
function reasonOf(error: unknown): string {
  const { code, name, cause } = error as { code?: string; name?: string; cause?: { code?: string } };
  return cause?.code ?? code?.toString() ?? name ?? 'an error';
}

function unavailable(reason: string): BundleError {
  return new BundleError('bundle_unavailable', reason);
}
