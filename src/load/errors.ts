/** Invalid plan of a load. The message says what was found and what was expected. */
export class LoadPlanError extends Error {
  override readonly name = 'LoadPlanError';
  readonly code = 'load_plan_invalid';
}

/** The target is not this machine and was not named by the operator. */
export class TargetRefusedError extends Error {
  override readonly name = 'TargetRefusedError';
  readonly code = 'load_target_refused';
}

/** This machine cannot make the load. */
export class LoadUnavailableError extends Error {
  override readonly name = 'LoadUnavailableError';
  readonly code = 'load_unavailable';
}
