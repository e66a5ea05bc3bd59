/** A condition that keeps this host from being set up. Its message is one paragraph: what is wrong, what to do, how to go on. */
export class ObstacleError extends Error {
  readonly code = 'obstacle';
}
