import type { Address } from '../net/index.ts';
import { EntryReader } from '../resolver/cache/index.ts';
import type { Resolver } from '../resolver/index.ts';
import { RecordClass, RecordType } from '../wire/index.ts';
import { interleave } from './origin-addresses.ts';
import { entryAddresses } from './origin-cache.ts';

/** Resolution Delay of RFC 8305 section 3: how long to wait for AAAA once A is known. */
const RESOLUTION_DELAY_MS = 50;

/** Resolves origins by the relay's own upstreams, without steering. */
export class OriginResolver {
  private readonly resolver: Pick<Resolver, 'resolve'>;
  private readonly now: () => number;

  /** @param now clock of the cache's entries, in ms */
  constructor(resolver: Pick<Resolver, 'resolve'>, now: () => number) {
    this.resolver = resolver;
    this.now = now;
  }

  /**
   * @param name lower-case wire form, root byte included
   * @returns addresses in the order to try them; null if no upstream answered for either family
   */
  async resolve(name: Uint8Array): Promise<Address[] | null> {
    const aaaa = this.family(name, RecordType.AAAA);
    const ipv4 = await this.family(name, RecordType.A);
    const isUsable = ipv4 !== null && ipv4.length > 0;
    const ipv6 = isUsable ? await Promise.race([aaaa, delayed()]) : await aaaa;
    if (ipv4 === null && ipv6 === null) return null;
    return interleave(ipv6 ?? [], ipv4 ?? []);
  }

  private async family(name: Uint8Array, type: number): Promise<Address[] | null> {
    const resolved = await this.resolver.resolve({
      name,
      nameLength: name.length,
      type,
      qclass: RecordClass.IN,
      dnssecOk: false,
      checkingDisabled: false,
    });
    if (resolved.entry === null) return null;
    const nowSeconds = Math.floor(this.now() / 1000);
    return entryAddresses(new EntryReader(resolved.entry, nowSeconds), name.length, type, nowSeconds);
  }
}

function delayed(): Promise<null> {
  return new Promise((resolve) => void setTimeout(resolve, RESOLUTION_DELAY_MS, null));
}
