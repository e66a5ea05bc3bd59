/** How an address of a relay stands, as steering sees it. */
export const Condition = {
  /** It answers, or nobody has said that it does not. */
  UP: 0,
  /** It does not answer, and is among those of its region and family that did until the last. */
  LAST_GOOD: 1,
  DOWN: 2,
  /** Its operator takes it out of the answers. */
  DRAINED: 3,
} as const;
export type Condition = (typeof Condition)[keyof typeof Condition];

/** Two of a relay, by its index: of its IPv4 address and of its IPv6 address. */
export class RelayConditions {
  private readonly values: Uint8Array;

  /** All are up. */
  constructor(relayCount: number) {
    this.values = new Uint8Array(relayCount * 2);
  }

  of(relay: number, family: 4 | 6): Condition {
    return this.values[placeOf(relay, family)] as Condition;
  }

  set(relay: number, family: 4 | 6, condition: Condition): void {
    this.values[placeOf(relay, family)] = condition;
  }
}

function placeOf(relay: number, family: 4 | 6): number {
  return relay * 2 + (family === 6 ? 1 : 0);
}
