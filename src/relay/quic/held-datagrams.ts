/** Limits of one connection: a client's first flight with 0-RTT has about 40 kB. */
const MAX_DATAGRAMS = 64;
const MAX_BYTES = 64 * 1024;
/** Limit of a thread's connections together. */
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;

/** Bytes held by all connections of a thread. */
export class HeldBudget {
  bytes = 0;

  get isSpent(): boolean {
    return this.bytes >= MAX_TOTAL_BYTES;
  }
}

/**
 * Client datagrams that arrived before the origin answered; they are replayed to each address that is tried.
 */
export class HeldDatagrams {
  private readonly budget: HeldBudget;
  private datagrams: Buffer[] = [];
  private bytes = 0;

  constructor(budget: HeldBudget) {
    this.budget = budget;
  }

  get all(): readonly Buffer[] {
    return this.datagrams;
  }

  /** @returns false if there is no room: the datagram is lost, as on any network */
  add(datagram: Buffer): boolean {
    const { length } = datagram;
    const hasRoom = this.datagrams.length < MAX_DATAGRAMS && this.bytes + length <= MAX_BYTES;
    if (!hasRoom || this.budget.isSpent) return false;
    this.datagrams.push(datagram);
    this.bytes += length;
    this.budget.bytes += length;
    return true;
  }

  drop(): void {
    this.budget.bytes -= this.bytes;
    this.bytes = 0;
    this.datagrams = [];
  }
}
