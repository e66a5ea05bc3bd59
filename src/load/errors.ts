/** A load that cannot be made from what was given. The message says what was found and what was expected. */
export class LoadPlanError extends Error {
  readonly code = 'LOAD_PLAN';
}

/** The target is neither this machine nor named by who runs the load. */
export class TargetRefusedError extends Error {
  readonly code = 'LOAD_TARGET_REFUSED';
}

/** The load cannot be made on this machine. */
export class LoadUnavailableError extends Error {
  readonly code = 'LOAD_UNAVAILABLE';
}
