export { readTransfer, writeTransfer } from './file.ts';
export { type OpenTransferOptions, openTransfer } from './open.ts';
export type { AccountTransfer, StoreTransfer } from './record.ts';
