import type { AllowlistShare } from '../allowlist/index.ts';
import type { CatalogShare } from '../catalog/lookup/index.ts';

/** Tables to attach to in place of those before. */
export interface TableUpdate {
  allowlist?: AllowlistShare;
  catalog?: CatalogShare;
  /** As QueryPolicy has it. */
  discovery?: readonly Uint8Array[];
}
