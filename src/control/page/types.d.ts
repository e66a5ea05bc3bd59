/** Shapes of the API's replies, taken from its schemas, and the page's own types. */

import type { Static } from 'typebox';
import type { PageShape } from '../shapes/page';
import type { NewPrivateNameShape } from '../shapes/private-name';
import type { NewUpdateTokenShape } from '../shapes/update-token';

/** Reply of `GET /v1/page`. */
export type PageData = Static<typeof PageShape>;
export type Family = PageData['caller']['family'];
export type Account = PageData['account'];
export type Registration = PageData['registrations'][number];
export type Service = PageData['services'][number];
export type Hostname = PageData['hostnames'][number];
export type PrivateName = PageData['privateNames'][number];
export type NewPrivateName = Static<typeof NewPrivateNameShape>;
export type UpdateToken = PageData['updateTokens'][number];
export type NewUpdateToken = Static<typeof NewUpdateTokenShape>;

/** This network over one address family; `address` is null if the network does not use the family. */
export interface AddressPath {
  family: Family;
  address: string | null;
  registration: Registration | null;
  /** The API over this family only; null for the page's own origin. */
  url: string | null;
}

export type VerdictName = 'working' | 'unregistered' | 'elsewhere' | 'mixed' | 'partly' | 'relay' | 'unknown';

/** Numbers of the self-test's loads that succeeded. */
export interface Tally {
  loads: number;
  reached: number;
  registered: number;
  /** True if a relay carried one; null: not tried. */
  relayed: boolean | null;
}
