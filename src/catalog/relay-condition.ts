/** Health of a relay's address, as steering sees it. */
export const Condition = {
  /** It answers, or was not probed. */
  UP: 0,
  /** It does not answer, but was among the last of its region and family that did. */
  LAST_GOOD: 1,
  DOWN: 2,
  /** Its operator takes it out of the answers. */
  DRAINED: 3,
} as const;
export type Condition = (typeof Condition)[keyof typeof Condition];

/** Two conditions a relay, by index: of its IPv4 and of its IPv6 address. */
export class RelayConditions {
  private readonly values: Uint8Array;

  /** Starts with all relays up. */
  constructor(relayCount: number) {
    this.values = new Uint8Array(relayCount * 2);
  }

  of(relay: number, family: 4 | 6): Condition {
    return this.values[slotOf(relay, family)] as Condition;
  }

  set(relay: number, family: 4 | 6, condition: Condition): void {
    this.values[slotOf(relay, family)] = condition;
  }
}

function slotOf(relay: number, family: 4 | 6): number {
  return relay * 2 + (family === 6 ? 1 : 0);
}
