import {
  type AddressHealth,
  conditionsOf,
  drains,
  PROBE_OUTCOMES,
  type ProbedAddress,
  Prober,
  RelayMonitor,
} from '../../catalog/health/index.ts';
import type { CatalogTables, RelayConditions } from '../../catalog/index.ts';
import type { Config } from '../../config/index.ts';
import type { Log } from './log.ts';
import { hasFamily } from './own-addresses.ts';
import { addressOf, type RelayKnowledge } from './relay-status.ts';

const FAMILIES = [4, 6] as const;

export interface RelayWatchOptions {
  readonly health: Config['health'];
  readonly catalog: CatalogTables;
  readonly log: Log;
  now(): number;
  random(): number;
  /** Some relay is to be taken otherwise than before. */
  onChange(conditions: RelayConditions): void;
}

/** Relays that a command is about: of a region, by an address, or all that are named by neither. */
export interface RelaySelector {
  readonly region: string | null;
  readonly addresses: readonly string[] | null;
}

/** What an edge knows of its relays: what its probes find, and what its operator has drained. */
export class RelayWatch implements RelayKnowledge {
  private readonly options: RelayWatchOptions;
  private readonly monitor: RelayMonitor;
  private catalog: CatalogTables;
  private health: Config['health'];
  /** Regions and first addresses of relays that the operator has taken out. */
  private readonly drained = new Set<string>();
  private readonly regionsDown = new Set<string>();
  private isPending = false;
  private isClosed = false;

  constructor(options: RelayWatchOptions) {
    const { health, catalog, now, random } = options;
    this.options = options;
    this.catalog = catalog;
    this.health = health;
    const prober = new Prober({ now, hasFamily });
    this.monitor = new RelayMonitor(
      {
        now,
        random,
        after: (milliseconds, callback) => {
          const timer = setTimeout(callback, milliseconds).unref();
          return () => clearTimeout(timer);
        },
        probe: (address, name, signal) => {
          const { port, timeoutSeconds } = this.health;
          return prober.probe({ address, port, name }, timeoutSeconds * 1000, signal);
        },
        onChange: (target, found) => this.tell(target, found),
      },
      settingsOf(health),
    );
    this.monitor.use(targetsOf(catalog), settingsOf(health));
  }

  get isProbing(): boolean {
    return this.health.names.length > 0;
  }

  readonly now = (): number => this.options.now();

  readonly healthOf = (index: number, family: 4 | 6): AddressHealth | null => {
    const relay = this.catalog.relays[index];
    const address = addressOf(relay, family);
    return address === null ? null : this.monitor.healthOf({ region: relay.region, address });
  };

  /** At this edge, or at the relay itself. */
  readonly isDrained = (index: number): boolean =>
    this.drained.has(this.keyOf(index)) ||
    drains(FAMILIES.flatMap((family) => this.healthOf(index, family) ?? []));

  /** How steering is to take the relays of the catalog that is watched. */
  get conditions(): RelayConditions {
    const { healthOf, isDrained, monitor, catalog } = this;
    return conditionsOf({ relays: catalog.relays, healthOf, isDrained, togetherMs: monitor.detectionMs });
  }

  /** Regions of which no relay is up and none is drained away: what health.allDown says holds there. */
  get downRegions(): ReadonlySet<string> {
    return this.regionsDown;
  }

  /** Turns to another catalog or configuration, with what is known of relays that stay. */
  useCatalog(catalog: CatalogTables, health: Config['health']): void {
    this.catalog = catalog;
    this.health = health;
    this.monitor.use(targetsOf(catalog), settingsOf(health));
    const keys = new Set(catalog.relays.map((_, index) => this.keyOf(index)));
    for (const key of this.drained) if (!keys.has(key)) this.drained.delete(key);
    this.judgeRegions();
  }

  /** Takes relays out of the answers, or back. @returns their addresses, empty where none is meant */
  drain(selector: RelaySelector, isDrained: boolean): string[] {
    const found = this.catalog.relays.flatMap((relay, index) => {
      const addresses = FAMILIES.flatMap((family) => addressOf(relay, family) ?? []);
      const isMeant =
        (selector.region === null || relay.region === selector.region) &&
        (selector.addresses === null || addresses.some((address) => selector.addresses!.includes(address)));
      if (!isMeant) return [];
      if (isDrained) this.drained.add(this.keyOf(index));
      else this.drained.delete(this.keyOf(index));
      return addresses;
    });
    if (found.length > 0) {
      this.options.log.info(
        { relays: found },
        isDrained ? 'relays drained: out of the answers' : 'relays not drained any more',
      );
      this.changed();
    }
    return found;
  }

  /** Probes of each address by what they found. */
  *probes(): Generator<[region: string, address: string, outcome: string, count: number]> {
    for (const { region, address } of targetsOf(this.catalog)) {
      const health = this.monitor.healthOf({ region, address });
      if (health === null) continue;
      for (const [index, outcome] of PROBE_OUTCOMES.entries())
        yield [region, address, outcome, health.counts[index]];
    }
  }

  close(): void {
    this.isClosed = true;
    this.monitor.stop();
  }

  private keyOf(index: number): string {
    const relay = this.catalog.relays[index];
    return `${relay.region} ${addressOf(relay, 4) ?? addressOf(relay, 6)}`;
  }

  private tell({ region, address }: ProbedAddress, found: AddressHealth): void {
    const { log } = this.options;
    const fields = { region, relay: address, found: found.latest };
    if (found.isDraining) log.info(fields, 'a relay drains: out of the answers');
    else if (found.isUp) log.info(fields, 'a relay is up: in the answers');
    else log.warn(fields, 'a relay is down: out of the answers');
    this.changed();
  }

  /** What changes at once is told at once. */
  private changed(): void {
    if (this.isPending) return;
    this.isPending = true;
    setImmediate(() => {
      this.isPending = false;
      if (this.isClosed) return;
      this.judgeRegions();
      this.options.onChange(this.conditions);
    });
  }

  private judgeRegions(): void {
    const { log } = this.options;
    for (const { region, relays } of this.catalog.regions) {
      const healths = relays
        .filter((index) => !this.isDrained(index))
        .flatMap((index) => FAMILIES.flatMap((family) => this.healthOf(index, family) ?? []));
      const isDown = healths.length > 0 && healths.every(({ isUp }) => !isUp);
      if (isDown === this.regionsDown.has(region)) continue;
      if (isDown) {
        this.regionsDown.add(region);
        log.error({ region, allDown: this.health.allDown }, 'no relay of a region is up');
      } else {
        this.regionsDown.delete(region);
        log.info({ region }, 'a region is not without a relay any more');
      }
    }
    for (const region of this.regionsDown) {
      if (!this.catalog.regions.some((known) => known.region === region)) this.regionsDown.delete(region);
    }
  }
}

function settingsOf(health: Config['health']) {
  const { names, intervalSeconds, timeoutSeconds, fall, rise, concurrency } = health;
  return {
    ...{ names, fall, rise, concurrency },
    intervalMs: intervalSeconds * 1000,
    timeoutMs: timeoutSeconds * 1000,
  };
}

function targetsOf({ relays }: CatalogTables): ProbedAddress[] {
  return relays.flatMap((relay) =>
    FAMILIES.flatMap((family) => {
      const address = addressOf(relay, family);
      return address === null ? [] : [{ region: relay.region, address }];
    }),
  );
}
