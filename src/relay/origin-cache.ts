import type { Address } from '../net/index.ts';
import { type CacheHandle, CacheReader, CacheResult, type EntryView } from '../resolver/cache/index.ts';
import { HEADER_BYTES, RecordClass, RecordType } from '../wire/index.ts';
import type { HostName } from './host-name.ts';
import { interleave, readAddresses } from './origin-addresses.ts';

const QUESTION_TAIL_BYTES = 4;
const scratch = new Uint8Array(0x10000);
const NO_ADDRESSES: readonly Address[] = [];
/**
 * An upstream's NODATA without SOA cannot be cached (RFC 2308 section 5). Held this long here, it does not send every
 * connection to an IPv4-only origin to the main thread.
 */
const NO_IPV6_SECONDS = 3;
/** Busy names that a thread remembers. */
const MAX_RECENT = 256;

/** A name that was looked up lately. */
interface RecentName {
  readonly wire: Uint8Array;
  addresses: readonly Address[];
  /** Second in which `addresses` holds: it spares a busy name all lookups but one a second. */
  second: number;
  noIpv6UntilSeconds: number;
}

/** A name to be resolved by the main thread. */
export interface PendingName {
  readonly hash: number;
  readonly wire: Uint8Array;
}

/** Reads the addresses of an open cache entry; null if it was overwritten meanwhile. */
export function entryAddresses(
  entry: EntryView,
  nameLength: number,
  type: number,
  nowSeconds: number,
): Address[] | null {
  const start = HEADER_BYTES + nameLength + QUESTION_TAIL_BYTES;
  const end = entry.render(scratch, start, scratch.length, nowSeconds);
  return end < 0 ? null : readAddresses(scratch, end, start, entry.answerCount, type);
}

/** Reads origins' addresses from the shared answer cache, in any thread. */
export class OriginCache {
  private readonly reader: CacheReader;
  private readonly recent = new Map<number, RecentName>();

  constructor(handle: CacheHandle) {
    this.reader = new CacheReader(handle);
  }

  /** Addresses in the order to try them; null if an answer of either family is missing or expired. */
  find(name: HostName, nowSeconds: number): readonly Address[] | null {
    const recent = this.recentOf(name);
    if (recent?.second === nowSeconds) return recent.addresses;
    const ipv4 = this.family(name, RecordType.A, nowSeconds);
    if (ipv4 === null) return null;
    const isWithoutIpv6 = recent !== null && nowSeconds < recent.noIpv6UntilSeconds;
    const ipv6 = this.family(name, RecordType.AAAA, nowSeconds) ?? (isWithoutIpv6 ? NO_ADDRESSES : null);
    if (ipv6 === null) return null;
    const addresses = interleave(ipv6, ipv4);
    const { noIpv6UntilSeconds = 0 } = recent ?? {};
    this.remember(copyOf(name), { addresses, second: nowSeconds, noIpv6UntilSeconds });
    return addresses;
  }

  /** Copies a name that `find` did not know, for the main thread. */
  pending(name: HostName): PendingName {
    return copyOf(name);
  }

  /** Notes what the main thread resolved. The addresses themselves are in the shared cache by now. */
  resolved(name: PendingName, addresses: readonly Address[] | null, nowSeconds: number): void {
    if (addresses === null || addresses.some(({ family }) => family === 6)) return;
    const noIpv6UntilSeconds = nowSeconds + NO_IPV6_SECONDS;
    this.remember(name, { addresses, second: Number.NEGATIVE_INFINITY, noIpv6UntilSeconds });
  }

  private recentOf({ name, hashes }: HostName): RecentName | null {
    const recent = this.recent.get(hashes[0]);
    if (recent === undefined || recent.wire.length !== name.length) return null;
    for (let i = 0; i < name.length; i++) if (recent.wire[i] !== name.bytes[i]) return null;
    return recent;
  }

  private remember({ hash, wire }: PendingName, facts: Omit<RecentName, 'wire'>): void {
    if (this.recent.size >= MAX_RECENT) this.recent.clear();
    this.recent.set(hash, { wire, ...facts });
  }

  private family(name: HostName, type: number, nowSeconds: number): Address[] | null {
    name.type = type;
    name.qclass = RecordClass.IN;
    const result = this.reader.find(name, false, false, nowSeconds);
    return result === CacheResult.FRESH
      ? entryAddresses(this.reader, name.name.length, type, nowSeconds)
      : null;
  }
}

function copyOf({ name, hashes }: HostName): PendingName {
  return { hash: hashes[0], wire: name.bytes.slice(0, name.length) };
}
