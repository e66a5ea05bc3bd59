/**
 * All failures of a call, by their stable code. `title` is the same for every occurrence (RFC 9457); `detail` holds
 * what is specific to one.
 */
export const PROBLEMS = {
  bad_input: { status: 400, title: 'A field is missing, unknown or not as described' },
  bad_json: { status: 400, title: 'The body is not JSON' },
  bad_request: { status: 400, title: 'The request is malformed' },
  bad_forwarded_for: { status: 400, title: 'The X-Forwarded-For of the proxy is malformed' },
  unauthorized: { status: 401, title: 'No valid key was given' },
  forbidden: { status: 403, title: 'This key is not for this call' },
  address_not_yours: { status: 403, title: 'The address is not the one this call comes from' },
  foreign_origin: { status: 403, title: 'The call comes from a page of another site' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'This path does not support this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  too_many_addresses: { status: 409, title: 'The account has reached its limit of addresses' },
  too_many_update_tokens: { status: 409, title: 'The account has reached its limit of update tokens' },
  too_many_hostnames: { status: 409, title: 'The account has reached its limit of host names' },
  too_many_private_names: { status: 409, title: 'The account has reached its limit of private names' },
  label_is_hostname: { status: 409, title: 'The address follows a host name, which is its label' },
  private_names_off: { status: 409, title: 'This installation has no private names' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The path is too long' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  foreign_host: { status: 421, title: 'This server does not serve this host' },
  hostname_not_yours: {
    status: 422,
    title: 'The host name does not point at the address this call comes from',
  },
  address_not_public: { status: 422, title: 'The address cannot be registered' },
  idempotency_key_reused: { status: 422, title: 'The idempotency key was used for another request' },
  too_many_attempts: { status: 429, title: 'Too many wrong keys' },
  too_many_changes: { status: 429, title: 'The account has made too many changes in a short time' },
  headers_too_large: { status: 431, title: 'The header fields are too large' },
  internal: { status: 500, title: 'Internal server error' },
  transfer_coding_not_supported: { status: 501, title: 'The only supported transfer coding is chunked' },
  too_many_profiles: { status: 503, title: 'No further combination of regions is available' },
  store_lost_data: { status: 503, title: 'The store has lost data; its operator must act' },
  store_unavailable: { status: 503, title: 'The store is not available' },
  http_version_not_supported: { status: 505, title: 'The supported versions are HTTP/1.0 and HTTP/1.1' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = 'application/problem+json';

/** A wrong field of the input: its name and what was expected; never what was found. */
export interface FieldError {
  field: string;
  expected: string;
}

interface ProblemExtras {
  detail?: string;
  errors?: readonly FieldError[];
  headers?: Readonly<Record<string, string | string[]>>;
}

/** Body of a problem reply (RFC 9457, section 3.1); `code` and `errors` are extension members. */
interface ProblemBody {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail?: string;
  errors?: readonly FieldError[];
}

/** A failure that is the caller's reply. Neither `detail` nor `errors` may hold a value that a client sent. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: ProblemBody;

  constructor(code: ProblemCode, extras: ProblemExtras = {}) {
    super(PROBLEMS[code].title);
    this.name = 'ProblemError';
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.headers = extras.headers ?? {};
    this.body = {
      type: `urn:mediastreamer:problem:${code}`,
      title: PROBLEMS[code].title,
      status: this.status,
      code,
      ...(extras.detail === undefined ? {} : { detail: extras.detail }),
      ...(extras.errors === undefined ? {} : { errors: extras.errors }),
    };
  }
}

/** Builds the problem of a single wrong field. */
export function badField(field: string, expected: string): ProblemError {
  return new ProblemError('bad_input', { errors: [{ field, expected }] });
}
