import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// First of all: cached code needs neither the type stripper (17 MB) nor compiling. An unwritable cache is ignored.
// Same directory as in sys/thread.ts.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/mediastreamer', import.meta.url)));
const { main } = await import('./cli/main.ts');
await main();
