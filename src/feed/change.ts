/**
 * A block of addresses, declared again because leaves do not import each other (see net/). `bytes` are 4 or 16 bytes in
 * network order, zero past the first `length` bits.
 */
export interface Prefix {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** The service of an address. Regions and services are names, because edges may be configured differently. */
export interface Profile {
  readonly region: string;
  /** Service -> the region it is watched from, or 'off'. */
  readonly services: Readonly<Record<string, string>>;
  /** True if the account has live registrations of the family. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /**
   * True if nobody has shown that the address is theirs: a followed host name moved there, or the operator said so.
   * An edge limits UDP answers to the address until something arrives from it that cannot be forged.
   */
  readonly told?: boolean;
}

export interface SetChange {
  readonly seq: number;
  readonly kind: 'set';
  readonly prefix: Prefix;
  readonly profile: Profile;
}

export interface RemoveChange {
  readonly seq: number;
  readonly kind: 'remove';
  readonly prefix: Prefix;
}

/** One edit of the allowlist. Sequence numbers are consecutive integers from 1, within an epoch. */
export type Change = SetChange | RemoveChange;
