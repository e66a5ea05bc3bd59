export { type ClientOptions, MediaStreamerClient } from './client.ts';
export { type FieldFault, MediaStreamerError } from './error.ts';
export type * from './types.ts';
