export { type ClientOptions, MediaStreamerClient, type Repeatable } from './client.ts';
export { type FieldError, MediaStreamerError } from './error.ts';
export type * from './types.ts';
