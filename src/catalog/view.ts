import type { NamedQuestion } from './name-table.ts';
import { NameTable } from './name-table.ts';
import { orderBase } from './relay-order.ts';
import { listSlot, NO_LIST } from './relay-routes.ts';
import type { CatalogHandle } from './steer.ts';
import { ADDRESS_TOLD, FAMILY_IPV4, FAMILY_IPV6, rowBytes } from './steer.ts';

/** No region to steer to: resolve as usual. */
export const NO_REGION = -1;

/** Reads a CatalogHandle on the hot path: only the constructor and attach allocate. */
export class CatalogView {
  /** Relay indexes; `order` says where a list starts, NO_RELAY ends it. */
  orders!: Uint16Array;
  /** 4 bytes a relay index. */
  addresses4!: Uint8Array;
  /** 16 bytes a relay index. */
  addresses6!: Uint8Array;
  private names!: NameTable;
  private rows!: Uint8Array;
  private lists!: Uint16Array;
  private groupCount = 0;
  private stride = 0;

  constructor(handle: CatalogHandle) {
    this.attach(handle);
  }

  /** Switches to another handle after a reload, which invalidates service and region indexes. */
  attach(handle: CatalogHandle): void {
    this.orders = new Uint16Array(handle.orders);
    this.addresses4 = new Uint8Array(handle.addresses4);
    this.addresses6 = new Uint8Array(handle.addresses6);
    this.names = new NameTable(handle.names);
    this.rows = new Uint8Array(handle.rows);
    this.lists = new Uint16Array(handle.lists);
    this.groupCount = handle.groupCount;
    this.stride = rowBytes(handle.serviceCount);
  }

  /** Index of the service that has this name, or NO_SERVICE (-1). */
  match(question: NamedQuestion): number {
    return this.names.match(question);
  }

  /** After a match: the label of the question at which the catalog's name starts. */
  get matchedLabel(): number {
    return this.names.matchedLabel;
  }

  /** After a match: the group of the name, 0 for none. */
  get matchedGroup(): number {
    return this.names.matchedGroup;
  }

  /** After a match: the list of relays for the profile, to pass to `order`; NO_LIST: resolve as usual. */
  list(profile: number, service: number): number {
    const row = profile * this.stride;
    const region = this.rows[row + 1 + service] - 1;
    if (region < 0) return NO_LIST;
    const families = this.rows[row] & (FAMILY_IPV4 | FAMILY_IPV6);
    return this.lists[listSlot(region, this.names.matchedGroup, this.groupCount, families)];
  }

  /** The list of relays of the profile's own region, for names without a group; NO_LIST: it has none. */
  ownList(profile: number): number {
    const row = profile * this.stride;
    const region = this.rows[row + this.stride - 1] - 1;
    if (region < 0) return NO_LIST;
    const families = this.rows[row] & (FAMILY_IPV4 | FAMILY_IPV6);
    return this.lists[listSlot(region, 0, this.groupCount, families)];
  }

  /** Index of the region for the profile and service, or NO_REGION (-1): resolve as usual. */
  region(profile: number, service: number): number {
    return this.rows[profile * this.stride + 1 + service] - 1;
  }

  allowsIPv4(profile: number): boolean {
    return (this.rows[profile * this.stride] & FAMILY_IPV4) !== 0;
  }

  allowsIPv6(profile: number): boolean {
    return (this.rows[profile * this.stride] & FAMILY_IPV6) !== 0;
  }

  /** True if nobody has shown that an address with this profile is theirs: UDP answers to it are limited. */
  isTold(profile: number): boolean {
    return (this.rows[profile * this.stride] & ADDRESS_TOLD) !== 0;
  }

  /**
   * Index in `orders` of a bucket's relays (bucket 0 to BUCKETS - 1), best first: MAX_RELAYS_PER_ANSWER, or
   * fewer if NO_RELAY ends them.
   */
  order(list: number, family: 4 | 6, bucket: number): number {
    return orderBase(list, family, bucket);
  }
}
