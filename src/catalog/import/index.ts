export {
  type ImportNote,
  type ImportOptions,
  type ImportResult,
  importDomains,
} from './import.ts';
