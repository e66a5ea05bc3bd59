/**
 * A block of addresses, as net/ has it (leaves do not import each other): `bytes` in network order, 4 or
 * 16 of them, zero past the first `length` bits.
 */
export interface Prefix {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
  readonly length: number;
}

/**
 * What an account chose and has: its region, the services that it takes from another region or not at all
 * ('off'), and the families that it has live registrations of. Names, not indexes: edges may be configured differently.
 */
export interface Profile {
  readonly region: string;
  readonly services: Readonly<Record<string, string>>;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
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

/** One step of the log. Sequence numbers are consecutive integers from 1, within an epoch. */
export type Change = SetChange | RemoveChange;
