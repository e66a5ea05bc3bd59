import { equalBytes, hashName, nameFromText, type Question } from '../../wire/index.ts';

/** Kinds of names that the gate lets pass. */
export const OpenName = {
  NONE: 0,
  /** Resolved for everyone: a device with a new address finds the control API by it. */
  BOOTSTRAP: 1,
  /** Below reached.TESTZONE: the control's address, for everyone. */
  REACHED: 2,
  /** Below registered.TESTZONE: the control's address for registered sources, NXDOMAIN for others. */
  REGISTERED: 3,
  /** Below relayed.TESTZONE: relays of the account's region for registered sources, NXDOMAIN for others. */
  RELAYED: 4,
  /** TESTZONE and its three children: names exist below them, but they have no records. */
  NODE: 5,
  /** Anything else in TESTZONE. */
  OTHER: 6,
  /** Proof of a name for an ACME CA: TXT records, for everyone. */
  CHALLENGE: 7,
} as const;

export interface OpenNamesOptions {
  /** Exact names. */
  readonly bootstrapNames: readonly string[];
  /** Zone of the page's self-test, answered by the edge alone. */
  readonly testZone: string | null;
  /** Addresses of the control API, 4 bytes each. */
  readonly controlAddresses4: Uint8Array;
  /** 16 bytes each. */
  readonly controlAddresses6: Uint8Array;
  /** Names of ACME's DNS-01 challenges, `_acme-challenge.` and more, that this edge is authoritative for. */
  readonly challengeNames?: readonly string[];
  /** Name of this edge, the target of NS records; required with challengeNames. */
  readonly nameServer?: string | null;
}

export const NO_OPEN_NAMES: OpenNamesOptions = {
  bootstrapNames: [],
  testZone: null,
  controlAddresses4: new Uint8Array(0),
  controlAddresses6: new Uint8Array(0),
};

interface Suffix {
  bytes: Uint8Array;
  /** OpenName of the name itself. */
  itself: number;
  /** OpenName of the names below it. */
  below: number;
}

/** Finds open names by the suffix hashes of a question. Allocates nothing. */
export class OpenNames {
  /** True if there are any. */
  readonly isAny: boolean;
  readonly addresses4: Uint8Array;
  readonly addresses6: Uint8Array;
  private readonly byHash = new Map<number, Suffix>();
  /** Label at which the test zone's name starts. Valid after a match in the test zone. */
  zoneLabel = 0;
  private readonly zoneLabels: number;
  /** Wire form of the name server; null: this edge is authoritative for nothing. */
  readonly nameServer: Uint8Array | null;

  /** @param seed name-hash seed of the questions */
  constructor(seed: number, options: OpenNamesOptions) {
    const add = (name: string, itself: number, below: number) => {
      const bytes = nameFromText(name)!;
      this.byHash.set(hashName(bytes, seed), { bytes, itself, below });
    };
    const { bootstrapNames, testZone, challengeNames = [], nameServer = null } = options;
    this.nameServer = nameServer === null ? null : nameFromText(nameServer);
    this.zoneLabels = testZone === null ? 0 : testZone.split('.').length;
    if (testZone !== null) {
      add(testZone, OpenName.NODE, OpenName.OTHER);
      add(`reached.${testZone}`, OpenName.NODE, OpenName.REACHED);
      add(`registered.${testZone}`, OpenName.NODE, OpenName.REGISTERED);
      add(`relayed.${testZone}`, OpenName.NODE, OpenName.RELAYED);
    }
    for (const name of challengeNames) add(name, OpenName.CHALLENGE, OpenName.NONE);
    for (const name of bootstrapNames) add(name, OpenName.BOOTSTRAP, OpenName.NONE);
    this.isAny = this.byHash.size > 0;
    this.addresses4 = options.controlAddresses4;
    this.addresses6 = options.controlAddresses6;
  }

  /** @returns an OpenName; the longest known suffix decides. */
  match(question: Question): number {
    const name = question.name;
    for (let label = 0; label < name.labelCount; label++) {
      const found = this.byHash.get(question.hashes[label]);
      if (found === undefined) continue;
      const offset = name.labelOffsets[label];
      const length = name.length - offset;
      if (length !== found.bytes.length || !equalBytes(name.bytes, offset, found.bytes, 0, length)) continue;
      const what = label === 0 ? found.itself : found.below;
      if (what === OpenName.NONE) continue;
      this.zoneLabel = name.labelCount - this.zoneLabels;
      return what;
    }
    return OpenName.NONE;
  }
}
