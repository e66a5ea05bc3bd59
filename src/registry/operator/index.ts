export { type Adoption, type AdoptOptions, adoptRedis, NothingLost } from './adopt.ts';
export { type ListOfPlace, type StoreReport, verifyRedis } from './verify.ts';
