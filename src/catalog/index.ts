export type { CatalogOptions, CatalogTables } from './catalog.ts';
export { buildCatalog, MAX_SERVICES } from './catalog.ts';
export type { ServiceFile } from './file-reader.ts';
export type { FoundFiles } from './files.ts';
export { readServiceFiles } from './files.ts';
export type { Finding } from './finding.ts';
export { formatFinding, hasErrors } from './finding.ts';
export type { GroupOptions } from './group.ts';
export type {
  ImportNote,
  ImportOptions,
  ImportResult,
  ListSource,
} from './import/index.ts';
export {
  formatListSource,
  importDomains,
  includedLists,
  parseListSource,
  refreshNames,
} from './import/index.ts';
export type { LoadedServices } from './load.ts';
export { loadServices } from './load.ts';
export type { NamedQuestion, NameTableHandle } from './name-table.ts';
export { NO_SERVICE } from './name-table.ts';
export type { Region, RegionOptions, Relay, RelayOptions } from './relay.ts';
export { Condition, RelayConditions } from './relay-condition.ts';
export { BUCKETS, MAX_RELAYS_PER_ANSWER, NO_RELAY } from './relay-order.ts';
export type { AllDown, RelayRoutes } from './relay-routes.ts';
export { NO_LIST } from './relay-routes.ts';
export type { Service } from './service.ts';
export type { ServiceText } from './service-text.ts';
export { formatServiceFile } from './service-text.ts';
export type { CatalogHandle, SteeringProfile } from './steer.ts';
export { Steering } from './steer.ts';
export { CatalogView, NO_REGION } from './view.ts';
