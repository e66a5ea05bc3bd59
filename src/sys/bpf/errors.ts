/** The kernel refused a map or a program. `code` is the errno's name; `reason` is for people. */
export class BpfError extends Error {
  readonly code: string;
  readonly reason: string;
  /** The verifier's log if it refused the program, else empty. */
  readonly verifierLog: string;
  constructor(what: string, code: string, reason: string, verifierLog = '') {
    super(`${what} failed: ${code}: ${reason}`);
    this.name = 'BpfError';
    this.code = code;
    this.reason = reason;
    this.verifierLog = verifierLog;
  }
}
