import type { AllowlistHandle } from '../allowlist/index.ts';
import type { CatalogHandle } from '../catalog/lookup/index.ts';

/** A TXT record of an ACME challenge; can be posted. */
export interface ChallengeRecord {
  /** Wire form, in lower case. */
  readonly name: Uint8Array;
  readonly rdata: Uint8Array;
}

/** New tables for threads to attach to. */
export interface TableUpdate {
  allowlist?: AllowlistHandle;
  catalog?: CatalogHandle;
  /** See QueryPolicy. */
  discovery?: readonly Uint8Array[];
  /** Records that prove names to an ACME CA. */
  challenges?: readonly ChallengeRecord[];
}
