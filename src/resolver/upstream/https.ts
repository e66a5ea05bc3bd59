import { createRequire } from 'node:module';
import type { Client, Dispatcher } from 'undici';
import { HEADER_BYTES, id } from '../../wire/index.ts';
import type { UpstreamQuery } from '../query.ts';
import type { UpstreamTrust } from './tls.ts';
import type { Exchange, ReplyListener, Upstream, UpstreamError } from './upstream.ts';
import type { UpstreamConfig } from './url.ts';

const MEDIA_TYPE = 'application/dns-message';
const MAX_MESSAGE_BYTES = 65_535;
const MAX_IN_FLIGHT = 2048;
const CONNECT_TIMEOUT_MS = 3000;

export interface HttpsUpstreamOptions {
  readonly trust: UpstreamTrust;
  /** Idle time after which the connection is closed. */
  readonly idleMs: number;
  /** Counts an unusable reply. */
  readonly onIgnored: () => void;
}

/**
 * DNS over HTTPS (RFC 8484): POST over HTTP/2 if the server has it, all queries on one connection. The
 * message ID is 0, so that HTTP caches may serve (4.1).
 */
export class HttpsUpstream implements Upstream {
  readonly mayBeSpoofed = false;
  readonly isEncrypted = true;
  private readonly client: Client;
  private readonly path: string;
  private readonly onIgnored: () => void;
  private inFlight = 0;
  private closed = false;

  constructor(config: UpstreamConfig, options: HttpsUpstreamOptions) {
    const { address, family, port, serverName } = config;
    const host = family === 6 ? `[${address}]` : address;
    // Imported lazily: it takes 10 MB that other upstreams do not need.
    const undici = createRequire(import.meta.url)('undici') as typeof import('undici');
    this.client = new undici.Client(`https://${host}:${port}`, {
      allowH2: true,
      pipelining: MAX_IN_FLIGHT,
      maxConcurrentStreams: MAX_IN_FLIGHT,
      keepAliveTimeout: options.idleMs,
      keepAliveMaxTimeout: options.idleMs,
      connect: {
        minVersion: 'TLSv1.2',
        timeout: CONNECT_TIMEOUT_MS,
        ...(serverName !== null && { servername: serverName }),
        ...(options.trust.ca !== undefined && { ca: [...options.trust.ca] }),
      },
    });
    this.path = config.path;
    this.onIgnored = options.onIgnored;
  }

  ask(query: UpstreamQuery, listener: ReplyListener): Exchange | null {
    if (this.closed || this.inFlight >= MAX_IN_FLIGHT) return null;
    const abort = new AbortController();
    this.inFlight++;
    this.exchange(query, abort.signal)
      .then((message) => {
        if (abort.signal.aborted) return;
        if (listener.reply(message, message.length)) return;
        this.onIgnored();
        listener.failed('malformed');
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) listener.failed(errorOf(error));
      })
      .finally(() => {
        this.inFlight--;
      });
    return { cancel: () => abort.abort() };
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.client.destroy();
  }

  private async exchange(query: UpstreamQuery, signal: AbortSignal): Promise<Uint8Array> {
    const response = await this.client.request({
      method: 'POST',
      path: this.path,
      headers: { accept: MEDIA_TYPE, 'content-type': MEDIA_TYPE },
      body: query.bytes,
      signal,
    });
    const message = await readBody(response);
    const type = String(response.headers['content-type'] ?? '').split(';', 1)[0]!;
    const usable = response.statusCode >= 200 && response.statusCode < 300 && type.trim() === MEDIA_TYPE;
    if (!usable || message === null || message.length < HEADER_BYTES || id(message) !== id(query.bytes)) {
      throw new UnusableResponseError();
    }
    return message;
  }
}

/** Not 2xx, another media type, too long, or another message ID. */
class UnusableResponseError extends Error {
  readonly code = 'unusable_response';
}

/** @returns null if it is longer than a DNS message can be */
async function readBody({ body }: Dispatcher.ResponseData): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_MESSAGE_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function errorOf(error: unknown): UpstreamError {
  if (error instanceof UnusableResponseError) return 'malformed';
  const { code } = error as NodeJS.ErrnoException;
  return code === 'UND_ERR_SOCKET' || code === 'UND_ERR_CLOSED' ? 'closed' : 'unreachable';
}
