import { equalBytes, hashName, nameFromText } from '../wire/index.ts';
import type { HostName } from './host-name.ts';

/** Kinds of names that are the service's own. */
export const OwnName = {
  NONE: 0,
  /** Served by this process: page, API, DNS over HTTPS, the self-test's pictures. */
  HERE: 1,
  /** Below relayed.TESTZONE: carried to the control API, to show that this relay carries the home. */
  RELAYED: 2,
} as const;
export type OwnName = (typeof OwnName)[keyof typeof OwnName];

/** Names of the service itself; plain data that can be posted to threads. */
export interface OwnNamesPolicy {
  /** Exact names that listeners of this process serve. */
  readonly exact: readonly string[];
  /** Zones of which every name below is served by this process. */
  readonly below: readonly string[];
  /** Zone of the names that are carried to `controlAddresses`; null: none. */
  readonly relayed: string | null;
  readonly controlAddresses: readonly string[];
  readonly controlPort: number;
}

export const NO_OWN_NAMES: OwnNamesPolicy = {
  exact: [],
  below: [],
  relayed: null,
  controlAddresses: [],
  controlPort: 443,
};

interface Suffix {
  readonly bytes: Uint8Array;
  itself: OwnName;
  below: OwnName;
}

/** Finds the service's own names by the suffix hashes of a host name. Allocates nothing. */
export class OwnNames {
  /** True if this process serves any name itself: then strangers are heard until they have named one. */
  readonly servesAny: boolean;
  readonly isAny: boolean;
  private readonly byHash = new Map<number, Suffix>();

  /** @param seed name-hash seed of the host names */
  constructor(seed: number, { exact, below, relayed }: OwnNamesPolicy) {
    const suffixOf = (name: string): Suffix => {
      const bytes = nameFromText(name)!;
      const hash = hashName(bytes, seed);
      const known = this.byHash.get(hash) ?? { bytes, itself: OwnName.NONE, below: OwnName.NONE };
      this.byHash.set(hash, known);
      return known;
    };
    for (const name of exact) suffixOf(name).itself = OwnName.HERE;
    for (const zone of below) suffixOf(zone).below = OwnName.HERE;
    if (relayed !== null) suffixOf(relayed).below = OwnName.RELAYED;
    this.servesAny = exact.length + below.length > 0;
    this.isAny = this.byHash.size > 0;
  }

  /** The longest known suffix decides. */
  match({ name, hashes }: HostName): OwnName {
    for (let label = 0; label < name.labelCount; label++) {
      const found = this.byHash.get(hashes[label]);
      if (found === undefined) continue;
      const offset = name.labelOffsets[label];
      const length = name.length - offset;
      if (length !== found.bytes.length || !equalBytes(name.bytes, offset, found.bytes, 0, length)) continue;
      const kind = label === 0 ? found.itself : found.below;
      if (kind !== OwnName.NONE) return kind;
    }
    return OwnName.NONE;
  }
}
