import { expect, it } from 'vitest';
import { buildCatalog, type CatalogTables, Condition } from '../../src/catalog/index.ts';
import { RelayWatch } from '../../src/cli/serve/tables/relay-watch.ts';
import type { Config } from '../../src/config/index.ts';

const HEALTH: Config['health'] = {
  names: [],
  port: 443,
  intervalSeconds: 1,
  timeoutSeconds: 1,
  fall: 1,
  rise: 1,
  concurrency: 1,
  allDown: 'last-good',
};
const ONE = { address: '192.0.2.1' };
const TWO = { address: '192.0.2.2' };

function catalog(...relays: object[]): CatalogTables {
  return buildCatalog({ services: [], regions: { us: { relays } }, defaultRegion: 'us', seed: 1 }).catalog!;
}

it('keeps a relay drained across reloads while the configuration has it', async () => {
  const nothing = (): void => {};
  const log = {
    fatal: nothing,
    error: nothing,
    warn: nothing,
    info: nothing,
    debug: nothing,
    level: '',
  };
  const changes: Condition[][] = [];
  const watch = new RelayWatch({
    health: HEALTH,
    catalog: catalog(ONE, TWO),
    log,
    now: () => 0,
    random: () => 0,
    reachedAt: (address) => address,
    onChange: (conditions) => changes.push([conditions.of(0, 4), conditions.of(1, 4)]),
  });
  expect(watch.drain({ region: 'gb', addresses: null }, true)).toEqual([]);
  expect(watch.drain({ region: null, addresses: ['192.0.2.1'] }, true)).toEqual(['192.0.2.1']);
  await new Promise(setImmediate);
  expect(changes).toEqual([[Condition.DRAINED, Condition.UP]]);
  watch.useCatalog(catalog(TWO, { ...ONE, address6: '2001:db8::1' }), HEALTH);
  expect([watch.isDrained(0), watch.isDrained(1)]).toEqual([false, true]);
  watch.useCatalog(catalog(TWO), HEALTH);
  watch.useCatalog(catalog(ONE, TWO), HEALTH);
  expect(watch.isDrained(0)).toBe(false);
  watch.close();
});
