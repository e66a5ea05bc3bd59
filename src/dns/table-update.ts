import type { AllowlistHandle } from '../allowlist/index.ts';
import type { CatalogHandle } from '../catalog/lookup/index.ts';

/** Tables to attach to in place of those before. */
export interface TableUpdate {
  allowlist?: AllowlistHandle;
  catalog?: CatalogHandle;
  /** As QueryPolicy has it. */
  discovery?: readonly Uint8Array[];
}
