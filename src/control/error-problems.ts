import {
  InvalidFieldError,
  RegistryError,
  TooManyAddressesError,
  TooManyHostnamesError,
  TooManyPrivateNamesError,
  TooManyUpdateTokensError,
} from '../registry/index.ts';
import { codeOf } from './error-log.ts';
import { badField, PROBLEMS, type ProblemCode, ProblemError } from './problem.ts';

/** Seconds after which a client may repeat a call that the store could not take. */
const STORE_RETRY_AFTER_SECONDS = 2;

/** Registry error code to problem code. */
const REGISTRY_CODES: Readonly<Record<string, ProblemCode>> = {
  too_many_addresses: 'too_many_addresses',
  too_many_update_tokens: 'too_many_update_tokens',
  too_many_hostnames: 'too_many_hostnames',
  too_many_private_names: 'too_many_private_names',
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

/** Fastify error code to problem code. Fastify's own messages repeat what the client sent. */
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

/** Turns an error into the problem that the caller sees; null if the error is a bug or failure of ours. */
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
  if (
    error instanceof TooManyUpdateTokensError ||
    error instanceof TooManyHostnamesError ||
    error instanceof TooManyPrivateNamesError
  ) {
    return new ProblemError(code, { detail: `The limit is ${error.limit}. Remove one first.` });
  }
  if (PROBLEMS[code].status !== 503) return new ProblemError(code);
  return new ProblemError(code, { headers: { 'retry-after': String(STORE_RETRY_AFTER_SECONDS) } });
}
