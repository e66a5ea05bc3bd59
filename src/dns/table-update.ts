import type { AllowlistHandle } from '../allowlist/index.ts';
import type { CatalogHandle } from '../catalog/lookup/index.ts';

/** New tables for threads to attach to. */
export interface TableUpdate {
  allowlist?: AllowlistHandle;
  catalog?: CatalogHandle;
  /** See QueryPolicy. */
  discovery?: readonly Uint8Array[];
}
