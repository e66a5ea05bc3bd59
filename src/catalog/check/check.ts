/** Outcome of a service's check through a relay: a closed set, for metrics, commands and reports. */
export const SERVICE_VERDICTS = [
  /** The service serves this address, for the relay's region if the check tells regions. */
  'ok',
  /** The service refuses the address. */
  'blocked',
  /** The service takes the address for one of another region. */
  'wrong_region',
  /** No reply: a network error, a bad certificate, a timeout. */
  'unreachable',
  /** A reply that says neither, such as a captcha, a rate limit or an error of the service. */
  'unknown',
] as const;
export type ServiceVerdict = (typeof SERVICE_VERDICTS)[number];

/** Conditions on a reply. Texts are looked for as they are, without patterns, so that no reply makes it slow. */
export interface ReplyPattern {
  /** Status codes, one of which must be the reply's; empty: any. */
  readonly status: readonly number[];
  /** Texts that the fields of these names (lower case) must contain, whatever their case. */
  readonly header: Readonly<Record<string, string>>;
  /** Texts, one of which the body must contain, in this case; empty: any. */
  readonly body: readonly string[];
}

/** Where a reply tells the country that the service takes the caller for. */
export interface RegionPattern {
  /** Name of a field whose value begins with the code; null: in the body. */
  readonly header: string | null;
  /** Text in the body (or field) right before the code; null: at the beginning. */
  readonly after: string | null;
  /** Regions by code, in lower case. Other codes stand for the region of their name, `gb` and `uk` for `gb`. */
  readonly map: Readonly<Record<string, string>>;
}

/** A request that tells whether a service serves the caller's address. */
export interface ServiceCheck {
  /** https, of a host that is among the service's names. */
  readonly url: string;
  readonly method: 'GET' | 'HEAD';
  /** Day when its verdicts were compared with the real service, as 2026-11-30; null: never, and answers ignore it. */
  readonly verified: string | null;
  /** All of its conditions hold: the service serves the caller. */
  readonly expect: ReplyPattern;
  /** Any of its conditions holds: it refuses the caller. Looked at first. Null: a refusal has no known form. */
  readonly blocked: ReplyPattern | null;
  readonly region: RegionPattern | null;
}
