export { type Adoption, type AdoptOptions, adoptRedis, NothingLostError } from './adopt.ts';
export { type CopyReport, type StoreReport, verifyRedis } from './verify.ts';
