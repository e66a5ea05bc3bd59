export type BundleErrorCode =
  | 'bad_key'
  | 'bad_signature'
  | 'bundle_malformed'
  | 'bundle_too_large'
  | 'bundle_too_old'
  | 'bundle_unavailable'
  | 'bundle_unknown';

/** A bundle, or a key for it, that cannot be used; the message says why. */
export class BundleError extends Error {
  readonly code: BundleErrorCode;
  constructor(code: BundleErrorCode, message: string) {
    super(message);
    this.name = 'BundleError';
    this.code = code;
  }
}
