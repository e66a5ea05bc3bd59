import { basename } from 'node:path';
import {
  InvalidFieldError,
  RegistryError,
  TooManyAddressesError,
  TooManyHostnamesError,
  TooManyUpdateTokensError,
} from '../registry/index.ts';
import type { ControlLogger } from './options.ts';
import { badField, PROBLEMS, type ProblemCode, ProblemError } from './problem.ts';

/** After how many seconds a call that the store could not take may be repeated. */
const STORE_RETRY_AFTER_SECONDS = 2;

/** What each of the registry's errors is for the caller. */
const REGISTRY_CODES: Readonly<Record<string, ProblemCode>> = {
  too_many_addresses: 'too_many_addresses',
  too_many_update_tokens: 'too_many_update_tokens',
  too_many_hostnames: 'too_many_hostnames',
  address_not_public: 'address_not_public',
  account_not_found: 'not_found',
  idempotency_key_reused: 'idempotency_key_reused',
  too_many_profiles: 'too_many_profiles',
  store_unavailable: 'store_unavailable',
  store_lost_data: 'store_lost_data',
  store_corrupt: 'store_unavailable',
  store_locked: 'store_unavailable',
  store_version: 'store_unavailable',
};

/** Fastify's own errors, whose messages repeat what the client sent. */
const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_JSON_BODY: 'bad_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
};

const STATUS_CODES: Readonly<Record<number, ProblemCode>> = {
  400: 'bad_request',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
};

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** The problem that an error is for the caller; null for what is a fault of ours. */
export function problemOf(error: unknown): ProblemError | null {
  if (error instanceof ProblemError) return error;
  if (error instanceof InvalidFieldError) return badField(error.field, error.expected);
  if (error instanceof RegistryError) return registryProblem(error);
  const problem = FRAMEWORK_CODES[codeOf(error)];
  if (problem !== undefined) return new ProblemError(problem);
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ProblemError(STATUS_CODES[status] ?? 'bad_request');
  }
  return null;
}

function registryProblem(error: RegistryError): ProblemError | null {
  const code = REGISTRY_CODES[error.code];
  if (code === undefined) return null;
  if (error instanceof TooManyAddressesError) {
    return new ProblemError(code, {
      detail: `The limit is ${error.perAccount}. Remove one, or send "replace": "oldest".`,
    });
  }
  if (error instanceof TooManyUpdateTokensError || error instanceof TooManyHostnamesError) {
    return new ProblemError(code, { detail: `The limit is ${error.limit}. Remove one first.` });
  }
  if (PROBLEMS[code].status !== 503) return new ProblemError(code);
  return new ProblemError(code, { headers: { 'retry-after': String(STORE_RETRY_AFTER_SECONDS) } });
}

/** What may be logged of an error of ours: never its message, which can hold what a client sent. */
export interface LoggedFault {
  errorName: string;
  code: string | null;
  stack: string[];
}

const LOCATION = /((?:node:)?[\w./@-]+:\d+:\d+)\)?$/;
const MAX_FRAMES = 8;

/** Names an error by its class, its code and the places in our files that it came through. */
export function describeFault(error: unknown): LoggedFault {
  if (!(error instanceof Error)) return { errorName: typeof error, code: null, stack: [] };
  const code = codeOf(error);
  return {
    errorName: /^[A-Za-z]{1,40}$/.test(error.name) ? error.name : 'Error',
    code: /^[A-Za-z][A-Za-z_]{0,47}$/.test(code) ? code : null,
    stack: framesOf(error).flatMap(frameLocation).slice(0, MAX_FRAMES),
  };
}

/** The message stands before the frames, and may have lines that look like some. */
function framesOf({ stack, message }: Error): string[] {
  const start = typeof stack === 'string' ? stack.indexOf(message) : -1;
  return start < 0 ? [] : stack!.slice(start + message.length).split('\n');
}

function frameLocation(frame: string): string[] {
  if (!/^\s+at /.test(frame)) return [];
  const location = LOCATION.exec(frame)?.[1];
  if (location === undefined) return [];
  return [location.startsWith('node:') ? location : basename(location)];
}

/** At most one line of a fault every so often: a store that is gone fails thousands of calls a second. */
const MIN_LINE_INTERVAL_MS = 1000;

/** Writes faults of ours to the log, few and without anything that a client sent. */
export class FaultLog {
  private readonly logger: ControlLogger;
  private readonly now: () => number;
  private nextAt = 0;
  private left = 0;

  constructor(logger: ControlLogger, now: () => number) {
    this.logger = logger;
    this.now = now;
  }

  /** @param route the route's pattern, such as `/v1/accounts/:id`; never the path that was asked for */
  note(error: unknown, method: string, route: string): void {
    const now = this.now();
    if (now < this.nextAt) {
      this.left += 1;
      return;
    }
    this.logger.error(
      { ...describeFault(error), method, route, notLogged: this.left },
      'a call to the API failed',
    );
    this.nextAt = now + MIN_LINE_INTERVAL_MS;
    this.left = 0;
  }
}
