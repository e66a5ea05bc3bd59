/** A wrong field and what was expected there. */
export interface FieldError {
  field: string;
  expected: string;
}

/** The API refused a call or did not answer. */
export class MediaStreamerError extends Error {
  /** Stable, such as `too_many_addresses`; `unreachable` if no reply came. */
  readonly code: string;
  /** The HTTP status; 0 if no reply came. */
  readonly status: number;
  readonly errors: readonly FieldError[];

  constructor(
    code: string,
    status: number,
    message: string,
    errors: readonly FieldError[] = [],
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'MediaStreamerError';
    this.code = code;
    this.status = status;
    this.errors = errors;
  }
}
