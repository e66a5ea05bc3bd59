import { equalBytes, hashName, nameFromText, type Question } from '../../wire/index.ts';

/** What a name is that is answered otherwise than by the gate. */
export const OpenName = {
  NONE: 0,
  /** Resolved for everyone: how a device whose address has changed finds the control API. */
  BOOTSTRAP: 1,
  /** Below reached.TESTZONE: the control's address, for everyone. */
  REACHED: 2,
  /** Below registered.TESTZONE: the control's address for the registered, NXDOMAIN for everyone else. */
  REGISTERED: 3,
  /** TESTZONE itself, reached.TESTZONE, registered.TESTZONE: they have names below, and nothing of their own. */
  NODE: 4,
  /** Anything else in TESTZONE. */
  OTHER: 5,
} as const;

export interface OpenNamesOptions {
  /** Exact names. */
  readonly bootstrapNames: readonly string[];
  /** The self-test's zone, which no one else answers for. */
  readonly testZone: string | null;
  /** Where the control API is, 4 bytes an address. */
  readonly controlAddresses4: Uint8Array;
  /** 16 bytes an address. */
  readonly controlAddresses6: Uint8Array;
}

export const NO_OPEN_NAMES: OpenNamesOptions = {
  bootstrapNames: [],
  testZone: null,
  controlAddresses4: new Uint8Array(0),
  controlAddresses6: new Uint8Array(0),
};

interface Suffix {
  bytes: Uint8Array;
  /** What a question for just this name is; 0: nothing of ours. */
  itself: number;
  /** What one for a name below it is. */
  below: number;
}

/** Finds bootstrap names and those of the test zone by the suffix hashes of a question, without allocation. */
export class OpenNames {
  /** Whether there are any. */
  readonly isAny: boolean;
  readonly addresses4: Uint8Array;
  readonly addresses6: Uint8Array;
  private readonly byHash = new Map<number, Suffix>();
  /** After a match of the test zone's: the label at which the zone's own name starts. */
  zoneLabel = 0;
  private readonly zoneLabels: number;

  /** @param seed the one that the questions were hashed with */
  constructor(seed: number, options: OpenNamesOptions) {
    const add = (name: string, itself: number, below: number) => {
      const bytes = nameFromText(name)!;
      this.byHash.set(hashName(bytes, seed), { bytes, itself, below });
    };
    const { bootstrapNames, testZone } = options;
    this.zoneLabels = testZone === null ? 0 : testZone.split('.').length;
    if (testZone !== null) {
      add(testZone, OpenName.NODE, OpenName.OTHER);
      add(`reached.${testZone}`, OpenName.NODE, OpenName.REACHED);
      add(`registered.${testZone}`, OpenName.NODE, OpenName.REGISTERED);
    }
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
