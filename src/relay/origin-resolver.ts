import type { Address } from '../net/index.ts';
import { EntryReader } from '../resolver/cache/index.ts';
import type { Resolver } from '../resolver/index.ts';
import { RecordClass, RecordType } from '../wire/index.ts';
import type { OriginAddresses } from './origin-addresses.ts';
import { entryAddresses } from './origin-cache.ts';

/** RFC 8305, 3: how long AAAA is waited for once A is known. */
const RESOLUTION_DELAY_MS = 50;

/** Asks the relay's own upstreams for an origin's addresses; the steering of the edge has no part in it. */
export class OriginResolver {
  private readonly resolver: Pick<Resolver, 'resolve'>;
  private readonly now: () => number;

  /** @param now the clock of the cache's entries, in ms */
  constructor(resolver: Pick<Resolver, 'resolve'>, now: () => number) {
    this.resolver = resolver;
    this.now = now;
  }

  /**
   * @param name lower-cased wire form, with the root's byte
   * @returns null where no upstream answered for either family
   */
  async resolve(name: Uint8Array): Promise<OriginAddresses | null> {
    const aaaa = this.family(name, RecordType.AAAA);
    const ipv4 = await this.family(name, RecordType.A);
    const isUsable = ipv4 !== null && ipv4.length > 0;
    const ipv6 = isUsable ? await Promise.race([aaaa, delayed()]) : await aaaa;
    if (ipv4 === null && ipv6 === null) return null;
    return { ipv4: ipv4 ?? [], ipv6: ipv6 ?? [] };
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
