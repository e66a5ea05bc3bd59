import { type Family, formatAddress, type Prefix } from '../net/index.ts';
import { LoadPlanError } from './errors.ts';

/** Most addresses of each kind of source. */
export const MAX_SOURCES = 65_536;

/** Source addresses, concatenated in network order. None: the kernel chooses. */
export interface Sources {
  readonly family: Family;
  readonly bytes: Uint8Array;
  readonly count: number;
}

export const NO_SOURCES = (family: Family): Sources => ({ family, bytes: new Uint8Array(0), count: 0 });

/**
 * Lists all addresses of some prefixes. @throws LoadPlanError if their family differs from the target's, or
 * there are more than MAX_SOURCES
 */
export function sourcesOf(prefixes: readonly Prefix[], family: Family): Sources {
  const stride = family === 4 ? 4 : 16;
  let count = 0;
  for (const prefix of prefixes) {
    if (prefix.family !== family) {
      throw new LoadPlanError(
        `found sources of IPv${prefix.family}, expected IPv${family} as the target has`,
      );
    }
    count += 2 ** (stride * 8 - prefix.length);
  }
  if (count > MAX_SOURCES) throw new LoadPlanError(`found ${count} sources, expected ${MAX_SOURCES} at most`);
  const bytes = new Uint8Array(count * stride);
  let at = 0;
  for (const prefix of prefixes) {
    const size = 2 ** (stride * 8 - prefix.length);
    for (let host = 0; host < size; host++, at += stride) {
      bytes.set(prefix.bytes, at);
      bytes[at + stride - 1] |= host & 0xff;
      bytes[at + stride - 2] |= host >>> 8;
    }
  }
  return { family, bytes, count };
}

/** The i-th source as text; undefined if the kernel chooses. */
export function sourceText({ family, bytes, count }: Sources, i: number): string | undefined {
  if (count === 0) return undefined;
  const stride = family === 4 ? 4 : 16;
  const at = (i % count) * stride;
  return formatAddress({ family, bytes: bytes.subarray(at, at + stride) });
}
