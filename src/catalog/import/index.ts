export {
  type ImportNote,
  type ImportOptions,
  type ImportResult,
  importDomains,
} from './import.ts';
export { formatListSource, includedLists, type ListSource, parseListSource } from './list-source.ts';
export { refreshNames } from './refresh.ts';
