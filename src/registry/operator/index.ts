export { type Adoption, type AdoptOptions, adoptRedis, NothingLostError } from './adopt.ts';
export { type ListOfPlace, type StoreReport, verifyRedis } from './verify.ts';
