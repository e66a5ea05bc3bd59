import { coveringName, namesAbove } from './host-name.ts';
import { isRegistrySuffix } from './registry-suffix.ts';
import { CARRIER_SUFFIXES, PORTAL_NAMES } from './shared-suffix.ts';

/** Reason why a name may not be in the catalog. `expected` completes the sentence "expected ...". */
export interface Refusal {
  readonly reason: 'top-level' | 'registry' | 'portal' | 'shared' | 'below-shared' | 'above-shared';
  readonly expected: string;
  /** The name that unrelated sites share. */
  readonly shared: string;
}

const SHARED_ABOVE = new Map<string, string>();
for (const suffix of [...CARRIER_SUFFIXES, ...PORTAL_NAMES]) {
  for (const above of namesAbove(suffix)) SHARED_ABOVE.set(above, suffix);
}

function refuseEither(name: string): Refusal | null {
  if (!name.includes('.')) {
    return { reason: 'top-level', expected: 'a name below a top-level domain', shared: name };
  }
  if (isRegistrySuffix(name)) {
    return { reason: 'registry', expected: `a name registered below ${name}, a registry`, shared: name };
  }
  if (CARRIER_SUFFIXES.has(name)) {
    return {
      reason: 'shared',
      expected: `single names below ${name}, which unrelated sites handle`,
      shared: name,
    };
  }
  if (PORTAL_NAMES.has(name)) {
    return {
      reason: 'portal',
      expected: `names below ${name}, which serves far more than this`,
      shared: name,
    };
  }
  return null;
}

/** Checks a name that stands for all names below it, too. Null if it pulls in no unrelated traffic. */
export function refuseSuffix(name: string): Refusal | null {
  const refusal = refuseEither(name);
  if (refusal !== null) return refusal;
  const below = coveringName(name, (above) => CARRIER_SUFFIXES.has(above));
  if (below !== null) {
    return {
      reason: 'below-shared',
      expected: `it under exact: unrelated sites handle ${below}`,
      shared: below,
    };
  }
  const shared = SHARED_ABOVE.get(name);
  if (shared !== undefined) {
    return {
      reason: 'above-shared',
      expected: `names that leave out ${shared}, which unrelated sites handle`,
      shared,
    };
  }
  return null;
}

/** Checks a name that stands for itself alone. */
export function refuseExact(name: string): Refusal | null {
  return refuseEither(name);
}
