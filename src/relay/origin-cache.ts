import type { Address } from '../net/index.ts';
import { type CacheHandle, CacheReader, CacheResult, type EntryView } from '../resolver/cache/index.ts';
import { HEADER_BYTES, RecordClass, RecordType } from '../wire/index.ts';
import type { HostName } from './host-name.ts';
import { type OriginAddresses, readAddresses } from './origin-addresses.ts';

const QUESTION_TAIL_BYTES = 4;
const scratch = new Uint8Array(0x10000);

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

  constructor(handle: CacheHandle) {
    this.reader = new CacheReader(handle);
  }

  /** Addresses of both families; null if either answer is missing or expired. */
  find(name: HostName, nowSeconds: number): OriginAddresses | null {
    const ipv4 = this.family(name, RecordType.A, CacheResult.FRESH, nowSeconds);
    if (ipv4 === null) return null;
    const ipv6 = this.family(name, RecordType.AAAA, CacheResult.FRESH, nowSeconds);
    return ipv6 === null ? null : { ipv4, ipv6 };
  }

  /** Expired addresses, for when no upstream answers (serve-stale, RFC 8767). */
  findStale(name: HostName, nowSeconds: number): OriginAddresses {
    const find = (type: number) => this.family(name, type, CacheResult.STALE, nowSeconds) ?? [];
    return { ipv4: find(RecordType.A), ipv6: find(RecordType.AAAA) };
  }

  private family(name: HostName, type: number, worst: CacheResult, nowSeconds: number): Address[] | null {
    name.type = type;
    name.qclass = RecordClass.IN;
    const result = this.reader.find(name, false, false, nowSeconds);
    if (result === CacheResult.MISS || result > worst) return null;
    return entryAddresses(this.reader, name.name.length, type, nowSeconds);
  }
}
