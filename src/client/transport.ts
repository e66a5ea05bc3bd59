import { type FieldError, MediaStreamerError } from './error.ts';

export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: object;
  idempotencyKey?: string;
}

interface TransportOptions {
  url: string;
  adminKey: string;
  timeoutMs?: number;
  retries?: number;
  fetch?: typeof fetch;
}

const TIMEOUT_MS = 10_000;
const RETRIES = 3;
const FIRST_WAIT_MS = 250;
/** Bounds Retry-After, because the caller waits. */
const MAX_WAIT_MS = 10_000;

/** Makes calls to the API and repeats them while that can help. */
export class HttpTransport {
  private readonly options: TransportOptions;
  private readonly url: string;

  constructor(options: TransportOptions) {
    if (options.adminKey === '') throw new TypeError('adminKey is empty');
    this.options = options;
    this.url = new URL(options.url).href.replace(/\/$/, '');
  }

  /** Returns the reply's body; undefined if it has none. @throws MediaStreamerError */
  async call<T>(call: Call): Promise<T> {
    const { retries = RETRIES } = this.options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.once<T>(call);
      } catch (error) {
        if (!(error instanceof UnansweredError)) throw error;
        if (attempt >= retries) throw error.reason;
        const waitMs = Math.max(FIRST_WAIT_MS * 2 ** attempt, error.retryAfterMs);
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, MAX_WAIT_MS)));
      }
    }
  }

  /** @throws UnansweredError if a repeat may succeed */
  private async once<T>({ method, path, body, idempotencyKey }: Call): Promise<T> {
    const { adminKey, timeoutMs = TIMEOUT_MS } = this.options;
    const ask = this.options.fetch ?? fetch;
    let reply: Response;
    let text: string;
    try {
      reply = await ask(this.url + path, {
        method,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${adminKey}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await reply.text();
    } catch (error) {
      throw new UnansweredError(
        new MediaStreamerError('unreachable', 0, 'the API does not answer', [], error),
        0,
      );
    }
    const content = parse(text);
    if (reply.ok) return content as T;
    const error = errorOf(reply.status, content as Partial<Problem> | undefined);
    if (reply.status !== 503 && error.code !== 'too_many_changes') throw error;
    throw new UnansweredError(error, 1000 * (Number(reply.headers.get('retry-after')) || 0));
  }
}

/** A failure that a repeat may resolve. */
class UnansweredError extends Error {
  readonly reason: MediaStreamerError;
  readonly retryAfterMs: number;
  constructor(reason: MediaStreamerError, retryAfterMs: number) {
    super(reason.message);
    this.name = 'UnansweredError';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** RFC 9457 problem with the API's extension members. */
interface Problem {
  code: string;
  title: string;
  detail: string;
  errors: FieldError[];
}

function errorOf(status: number, problem: Partial<Problem> | undefined): MediaStreamerError {
  const {
    code = `http_${status}`,
    title = `the API answered ${status}`,
    detail,
    errors = [],
  } = problem ?? {};
  const fields = errors.map(({ field, expected }) => `${field}: expected ${expected}`);
  return new MediaStreamerError(code, status, [detail ?? title, ...fields].join('; '), errors);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
