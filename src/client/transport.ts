import { type FieldFault, MediaStreamerError } from './error.ts';

export interface Call {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body?: object;
  idempotencyKey?: string;
}

/** Makes calls to the API. */
export interface Transport {
  /** @returns the reply's body; undefined where it has none. @throws MediaStreamerError */
  call<T>(call: Call): Promise<T>;
}

export interface TransportOptions {
  url: string;
  adminKey: string;
  timeoutMs?: number;
  retries?: number;
  fetch?: typeof fetch;
}

const TIMEOUT_MS = 10_000;
const RETRIES = 3;
const FIRST_WAIT_MS = 250;
/** Whatever a server asks for: the caller waits too. */
const MAX_WAIT_MS = 10_000;

export class HttpTransport implements Transport {
  private readonly options: TransportOptions;
  private readonly url: string;

  constructor(options: TransportOptions) {
    if (options.adminKey === '') throw new TypeError('adminKey is empty');
    this.options = options;
    this.url = new URL(options.url).href.replace(/\/$/, '');
  }

  async call<T>(call: Call): Promise<T> {
    const { retries = RETRIES } = this.options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.once<T>(call);
      } catch (error) {
        if (!(error instanceof UnansweredError)) throw error;
        if (attempt >= retries) throw error.fault;
        const waitMs = Math.max(FIRST_WAIT_MS * 2 ** attempt, error.retryAfterMs);
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, MAX_WAIT_MS)));
      }
    }
  }

  /** @throws Unanswered if it may be made again */
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
    const held = parse(text);
    if (reply.ok) return held as T;
    const fault = faultOf(reply.status, held as Partial<Problem> | undefined);
    if (reply.status !== 503) throw fault;
    throw new UnansweredError(fault, 1000 * (Number(reply.headers.get('retry-after')) || 0));
  }
}

/** A failure that a repeat may mend. */
class UnansweredError extends Error {
  readonly fault: MediaStreamerError;
  readonly retryAfterMs: number;
  constructor(fault: MediaStreamerError, retryAfterMs: number) {
    super(fault.message);
    this.fault = fault;
    this.retryAfterMs = retryAfterMs;
  }
}

/** RFC 9457, with what the API adds to it. */
interface Problem {
  code: string;
  title: string;
  detail: string;
  errors: FieldFault[];
}

function faultOf(status: number, problem: Partial<Problem> | undefined): MediaStreamerError {
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
