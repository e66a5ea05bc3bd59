// Plain JavaScript on purpose: it turns the compile cache on before the first TypeScript file is read, so that a
// thread whose files are in the cache never loads Node's type stripper (14 MB a thread).
import { enableCompileCache } from 'node:module';

const [entry, cacheDirectory] = process.argv.slice(2);
enableCompileCache(cacheDirectory);
await import(entry);
