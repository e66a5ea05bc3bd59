import { storeContract } from '../contract/store.ts';
import { openStore, temporaryDirectory } from './support.ts';

storeContract('SQLite', () => openStore(temporaryDirectory()));
