import {
  type AddressHealth,
  conditionsOf,
  drains,
  PROBE_OUTCOMES,
  type ProbedAddress,
  Prober,
  RelayMonitor,
} from '../../../catalog/health/index.ts';
import type { CatalogTables, RelayConditions } from '../../../catalog/index.ts';
import type { Config } from '../../../config/index.ts';
import type { Log } from '../log.ts';
import { hasFamily } from '../own-addresses.ts';
import { addressOf, type RelayKnowledge } from './relay-status.ts';

const FAMILIES = [4, 6] as const;

export interface RelayWatchOptions {
  readonly health: Config['health'];
  readonly catalog: CatalogTables;
  readonly log: Log;
  now(): number;
  random(): number;
  /** Returns the address at which this host reaches a relay's address. */
  reachedAt(address: string): string;
  /** Called when the condition of a relay has changed. */
  onChange(conditions: RelayConditions): void;
}

/** Selects relays by region, by addresses, or by both; null does not restrict. */
export interface RelaySelector {
  readonly region: string | null;
  readonly addresses: readonly string[] | null;
}

/** Health of an edge's relays: its probes' findings and the operator's drains. */
export class RelayWatch implements RelayKnowledge {
  private readonly options: RelayWatchOptions;
  private readonly monitor: RelayMonitor;
  private catalog: CatalogTables;
  private health: Config['health'];
  /** Keys of relays that the operator has drained, see keyOf. */
  private readonly drained = new Set<string>();
  private readonly regionsDown = new Set<string>();
  private isPending = false;
  private isClosed = false;

  constructor(options: RelayWatchOptions) {
    const { health, catalog, now, random, reachedAt } = options;
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
          return prober.probe({ address: reachedAt(address), port, name }, timeoutSeconds * 1000, signal);
        },
        onChange: (target, health) => this.logHealth(target, health),
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

  /** Drained here, or at the relay itself. */
  readonly isDrained = (index: number): boolean =>
    this.drained.has(this.keyOf(index)) ||
    drains(FAMILIES.flatMap((family) => this.healthOf(index, family) ?? []));

  /** Conditions of all relays, for steering. */
  get conditions(): RelayConditions {
    const { healthOf, isDrained, monitor, catalog } = this;
    return conditionsOf({ relays: catalog.relays, healthOf, isDrained, togetherMs: monitor.detectionMs });
  }

  /** Regions where no relay is up and health.allDown applies. A region with all relays drained is not among them. */
  get downRegions(): ReadonlySet<string> {
    return this.regionsDown;
  }

  /** Switches to another catalog or configuration; relays that stay keep their state. */
  useCatalog(catalog: CatalogTables, health: Config['health']): void {
    this.catalog = catalog;
    this.health = health;
    this.monitor.use(targetsOf(catalog), settingsOf(health));
    const keys = new Set(catalog.relays.map((_, index) => this.keyOf(index)));
    for (const key of this.drained) if (!keys.has(key)) this.drained.delete(key);
    this.updateRegions();
  }

  /** Takes relays out of the answers, or puts them back. @returns their addresses; empty if none matches */
  drain(selector: RelaySelector, isDrained: boolean): string[] {
    const found = this.catalog.relays.flatMap((relay, index) => {
      const addresses = FAMILIES.flatMap((family) => addressOf(relay, family) ?? []);
      const isSelected =
        (selector.region === null || relay.region === selector.region) &&
        (selector.addresses === null || addresses.some((address) => selector.addresses!.includes(address)));
      if (!isSelected) return [];
      if (isDrained) this.drained.add(this.keyOf(index));
      else this.drained.delete(this.keyOf(index));
      return addresses;
    });
    if (found.length > 0) {
      this.options.log.info(
        { relays: found },
        isDrained ? 'relays drained: out of the answers' : 'relays undrained',
      );
      this.changed();
    }
    return found;
  }

  /** Time that probes wait for their turn; see RelayMonitor. */
  get latenessMs(): number {
    return this.monitor.latenessMs;
  }

  /** Counts probes by address and outcome. */
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

  private logHealth({ region, address }: ProbedAddress, health: AddressHealth): void {
    const { log } = this.options;
    const fields = { region, relay: address, found: health.latest };
    if (health.isDraining) log.info(fields, 'a relay is draining: out of the answers');
    else if (health.isUp) log.info(fields, 'a relay is up: in the answers');
    else log.warn(fields, 'a relay is down: out of the answers');
    this.changed();
  }

  /** Reports changes of one turn of the event loop together. */
  private changed(): void {
    if (this.isPending) return;
    this.isPending = true;
    setImmediate(() => {
      this.isPending = false;
      if (this.isClosed) return;
      this.updateRegions();
      this.options.onChange(this.conditions);
    });
  }

  private updateRegions(): void {
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
        log.info({ region }, 'a region has a healthy relay again');
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
    names,
    fall,
    rise,
    concurrency,
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
