export {
  AssemblyError,
  add,
  and,
  and32,
  assemble,
  call,
  exit,
  jump,
  jumpIf,
  jumpIfRegister,
  type Line,
  label,
  load,
  move,
  move32,
  Register,
  set,
  setMap,
  setWide,
  store,
  storeNumber,
} from './assembler.ts';
export { BpfError } from './errors.ts';
export { BATCH_ENTRIES, BpfMap, type BpfMapOptions, BpfMapType } from './map.ts';
export { attachFilter, detachFilter, loadSocketFilter } from './program.ts';
