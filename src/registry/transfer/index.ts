export type { AccountTransfer, StoreTransfer } from './account-transfer.ts';
export { type OpenTransferOptions, openTransfer } from './open.ts';
export { readTransfer, writeTransfer } from './transfer-file.ts';
