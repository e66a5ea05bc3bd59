import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openRegistry } from '../../src/registry/index.ts';

/**
 * Registers addresses by eight clients until it is killed, and prints each acknowledged one as 'account address seq'.
 */
async function main(): Promise<void> {
  const registry = await openRegistry({
    store: 'embedded',
    dataDir: process.argv[2],
    perAccount: 10_000,
    leaseDays: 90,
    allowPrivate: false,
    defaultRegion: () => 'us',
    regions: () => ['us'],
    isOwn: () => false,
    now: Date.now,
    randomBytes,
  });
  await Promise.all(
    Array.from({ length: 8 }, async (_, client) => {
      const { account } = await registry.createAccount({});
      for (let index = 0; ; index++) {
        const bytes = Uint8Array.of(23, client, index >> 8, index & 255);
        const { registration } = await registry.register(account.id, {
          address: { family: 4, bytes },
          source: 'api',
        });
        writeSync(1, `${account.id} ${registration.address} ${registry.status().seq}\n`);
        if (index % 7 === 6) {
          await registry.removeRegistration(account.id, registration.id);
          writeSync(1, `${account.id} -${registration.address} ${registry.status().seq}\n`);
        }
      }
    }),
  );
}

await main();
