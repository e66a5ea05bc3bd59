import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// First of all: what comes from the cache needs neither the type stripper (17 MB) nor compiling. Where it
// cannot be written, everything works without it. The same directory as in sys/thread.ts.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/mediastreamer', import.meta.url)));
const { main } = await import('./cli/main.ts');
await main();
