// A separate face, so that threads that only look names up do not load the file readers.
export { type NamedQuestion, type NameTableHandle, NO_SERVICE } from '../name-table.ts';
export { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_RELAY } from '../relay-order.ts';
export { NO_LIST } from '../relay-routes.ts';
export type { CatalogHandle } from '../steer.ts';
export { CatalogView, NO_REGION } from '../view.ts';
export { type FoundName, findName } from './find-name.ts';
