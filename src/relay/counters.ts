/** Outcome of a connection. Each connection counts once, when it ends. */
export const RelayOutcome = {
  /** Carried until both sides ended. */
  CARRIED: 0,
  /** Carried until one side reset the connection. */
  RESET: 1,
  /** Carried until nothing had moved for the idle time. */
  IDLE: 2,
  /** Carried until the source's registration ended. */
  REVOKED: 3,
  /** Carried until the relay stopped. */
  DRAINED: 4,
  /** From an unregistered source. */
  UNREGISTERED: 5,
  /** For a name outside the catalog. */
  UNLISTED: 6,
  /** A hello without a server name. */
  UNNAMED: 7,
  /** First bytes of another protocol, or of a broken one. */
  MALFORMED: 8,
  /** No name within the handshake time. */
  TIMEOUT: 9,
  /** The client left before it named an origin. */
  ABANDONED: 10,
  /** Past a limit of the source or of the relay. */
  LIMITED: 11,
  /** The name has no address, or no upstream answered. */
  UNRESOLVED: 12,
  /** The egress guard rejects all addresses of the name. */
  FORBIDDEN: 13,
  /** No address of the origin answered. */
  UNREACHABLE: 14,
  /** QUIC that is refused, or of an unknown version. */
  REFUSED: 15,
  /** An edge's probe, which was told that the relay drains. */
  DRAINING: 16,
  /** For a name of this host itself: handed to its own listeners. */
  OWN: 17,
} as const;
export type RelayOutcome = (typeof RelayOutcome)[keyof typeof RelayOutcome];

/** Direction of carried bytes. */
export const RelayDirection = { TO_ORIGIN: 0, TO_CLIENT: 1 } as const;
export type RelayDirection = (typeof RelayDirection)[keyof typeof RelayDirection];

/** Label values, by outcome and by direction. */
export const RELAY_OUTCOMES = namesOf(RelayOutcome);
export const RELAY_DIRECTIONS = namesOf(RelayDirection);

const OPEN = RELAY_OUTCOMES.length;
const BYTES = OPEN + 1;
const WIDTH = BYTES + RELAY_DIRECTIONS.length;
/** Services seen since the process started, removed ones included; slot 0 stands for no service. */
const SERVICE_SLOTS = 1024;

/** Counters of one relay thread in shared memory: the thread writes, a scrape reads without locks. */
export class RelayCounters {
  readonly buffer: SharedArrayBuffer;
  private readonly values: Float64Array;

  constructor(buffer = new SharedArrayBuffer(SERVICE_SLOTS * WIDTH * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.values = new Float64Array(buffer);
  }

  ended(slot: number, outcome: RelayOutcome): void {
    this.values[slot * WIDTH + outcome]++;
  }

  /** Counts tunnels that carry: 1 for a new one, -1 for one that ended. */
  addOpen(slot: number, change: 1 | -1): void {
    this.values[slot * WIDTH + OPEN] += change;
  }

  carried(slot: number, direction: RelayDirection, bytes: number): void {
    this.values[slot * WIDTH + BYTES + direction] += bytes;
  }

  outcome(slot: number, outcome: number): number {
    return this.values[slot * WIDTH + outcome];
  }

  open(slot: number): number {
    return this.values[slot * WIDTH + OPEN];
  }

  bytes(slot: number, direction: number): number {
    return this.values[slot * WIDTH + BYTES + direction];
  }
}

/**
 * Assigns counter slots to services, by id and for the life of the process: after a reload of the catalog a slot
 * never counts for another service. Services past the last slot count as no service.
 */
export class RelayServiceSlots {
  private readonly slots = new Map<string, number>();

  /** Returns the slots of a catalog's services, in their order. */
  assign(services: readonly string[]): number[] {
    return services.map((service) => {
      const known = this.slots.get(service);
      if (known !== undefined) return known;
      const slot = this.slots.size + 1;
      if (slot >= SERVICE_SLOTS) return 0;
      this.slots.set(service, slot);
      return slot;
    });
  }

  /** Services and their slots; `none` has slot 0. */
  entries(): [service: string, slot: number][] {
    return [['none', 0], ...this.slots];
  }
}

function namesOf(set: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(set).map((key) => key.toLowerCase());
}
