import { labelValues } from './labels.ts';

/** What became of a connection to a relay. Each counts once, when it has ended. */
export const RelayOutcome = {
  /** Carried until both sides had ended. */
  CARRIED: 0,
  /** Carried until one side broke off. */
  RESET: 1,
  /** Carried until nothing had moved for too long. */
  IDLE: 2,
  /** Carried until its source's registration was gone. */
  REVOKED: 3,
  /** Carried until the relay stopped. */
  DRAINED: 4,
  /** From a source that is not registered. */
  UNREGISTERED: 5,
  /** For a name that the catalog does not have. */
  UNLISTED: 6,
  /** For no name. */
  UNNAMED: 7,
  /** Its first bytes were not what the listener is for. */
  MALFORMED: 8,
  /** It did not say in time what it is for. */
  TIMEOUT: 9,
  /** It ended before it said what it is for. */
  ABANDONED: 10,
  /** Its source has too many, or opens them too fast; or the relay has too many. */
  LIMITED: 11,
  /** The name has no address, or no upstream answered. */
  UNRESOLVED: 12,
  /** All its addresses are ones that are not relayed to. */
  FORBIDDEN: 13,
  /** No address of the origin answered. */
  UNREACHABLE: 14,
  /** Told at once to come another way: QUIC is refused, or a version of it that is not known. */
  REFUSED: 15,
  /** From an edge that probes, which was told that the relay drains. */
  DRAINING: 16,
} as const;
export type RelayOutcome = (typeof RelayOutcome)[keyof typeof RelayOutcome];

/** Which way bytes went. */
export const RelayDirection = { TO_ORIGIN: 0, TO_CLIENT: 1 } as const;
export type RelayDirection = (typeof RelayDirection)[keyof typeof RelayDirection];

export const RELAY_OUTCOMES = labelValues(RelayOutcome);
export const RELAY_DIRECTIONS = labelValues(RelayDirection);

const OPEN = RELAY_OUTCOMES.length;
const BYTES = OPEN + 1;
const WIDTH = BYTES + RELAY_DIRECTIONS.length;
/** Services of the catalog and of those before it, since the process started; slot 0 is of no service. */
export const RELAY_SERVICE_SLOTS = 1024;

/** The relay's counters of one thread, in shared memory, as those of CounterBlock are. */
export class RelayCounters {
  readonly buffer: SharedArrayBuffer;
  private readonly values: Float64Array;

  constructor(buffer = new SharedArrayBuffer(RELAY_SERVICE_SLOTS * WIDTH * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.values = new Float64Array(buffer);
  }

  ended(slot: number, outcome: RelayOutcome): void {
    this.values[slot * WIDTH + outcome]++;
  }

  /** Tunnels that carry: add 1 and -1. */
  addOpen(slot: number, change: 1 | -1): void {
    this.values[slot * WIDTH + OPEN] += change;
  }

  carried(slot: number, direction: RelayDirection, bytes: number): void {
    this.values[slot * WIDTH + BYTES + direction] += bytes;
  }

  outcome(slot: number, outcome: RelayOutcome): number {
    return this.values[slot * WIDTH + outcome];
  }

  open(slot: number): number {
    return this.values[slot * WIDTH + OPEN];
  }

  bytes(slot: number, direction: RelayDirection): number {
    return this.values[slot * WIDTH + BYTES + direction];
  }
}

/**
 * Gives services their slots: by id and for the life of the process, so that a catalog read again does not
 * count one service as another. What finds no slot any more counts as no service.
 */
export class RelayServiceSlots {
  private readonly slots = new Map<string, number>();

  /** The slots of a catalog's services, by their index. */
  assign(services: readonly string[]): number[] {
    return services.map((service) => {
      const known = this.slots.get(service);
      if (known !== undefined) return known;
      const slot = this.slots.size + 1;
      if (slot >= RELAY_SERVICE_SLOTS) return 0;
      this.slots.set(service, slot);
      return slot;
    });
  }

  /** Slots and their services; `none` is slot 0. */
  entries(): [service: string, slot: number][] {
    return [['none', 0], ...this.slots];
  }
}
