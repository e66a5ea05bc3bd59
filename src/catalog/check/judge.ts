import type { RegionPattern, ReplyPattern, ServiceCheck, ServiceVerdict } from './check.ts';

/** A reply as far as checks look at it. */
export interface CheckedReply {
  readonly status: number;
  /** Value of a field; null: it has none. Names are in lower case. */
  header(name: string): string | null;
  /** The beginning of the body. */
  readonly body: string;
}

export interface Judgement {
  readonly verdict: ServiceVerdict;
  /** Condition that decided, for people: `status 403`, `body has "GEO_BLOCKED"`. */
  readonly reason: string;
  /** Code of the country as the reply has it; null: it tells none. */
  readonly country: string | null;
}

/** Texts of pages that ask for a captcha or a browser, whatever the service. */
const BOT_WALLS = [
  'captcha-delivery.com',
  'px-captcha',
  '_Incapsula_Resource',
  'cf-chl-',
  'challenge-platform',
];
const CODE = /^\s*([A-Za-z]{2,3})(?![A-Za-z])/;

/**
 * Judges a reply. A bot wall comes first: it says nothing about the address. Then what the check calls blocked, the region,
 * and what it expects.
 * @param region of the relay; null: regions are not compared
 */
export function judgeReply(check: ServiceCheck, reply: CheckedReply, region: string | null): Judgement {
  const country = check.region === null ? null : countryOf(check.region, reply);
  const wall = botWall(reply);
  if (wall !== null) return { verdict: 'unknown', reason: wall, country };
  const refusal = check.blocked === null ? null : anyOf(check.blocked, reply);
  if (refusal !== null) return { verdict: 'blocked', reason: refusal, country };
  const missing = missingOf(check.expect, reply);
  if (missing !== null) return { verdict: 'unknown', reason: missing, country };
  if (check.region === null) return { verdict: 'ok', reason: 'as expected', country };
  if (country === null) return { verdict: 'unknown', reason: 'as expected, but tells no country', country };
  const found = regionOf(check.region, country);
  if (region === null || found === region) return { verdict: 'ok', reason: `country ${country}`, country };
  return { verdict: 'wrong_region', reason: `country ${country}, expected region ${region}`, country };
}

function botWall({ status, header, body }: CheckedReply): string | null {
  if (status === 429) return 'status 429: too many requests';
  if (header('cf-mitigated') !== null) return 'a bot wall (cf-mitigated)';
  const text = BOT_WALLS.find((one) => body.includes(one));
  return text === undefined ? null : `a bot wall (${text})`;
}

/** @returns the first condition that holds; null: none does */
function anyOf(pattern: ReplyPattern, reply: CheckedReply): string | null {
  if (pattern.status.includes(reply.status)) return `status ${reply.status}`;
  for (const [name, text] of Object.entries(pattern.header)) {
    if (reply.header(name)?.toLowerCase().includes(text)) return `${name} has ${JSON.stringify(text)}`;
  }
  const text = pattern.body.find((one) => reply.body.includes(one));
  return text === undefined ? null : `body has ${JSON.stringify(text)}`;
}

/** @returns the first condition that does not hold; null: all do */
function missingOf(pattern: ReplyPattern, reply: CheckedReply): string | null {
  if (pattern.status.length > 0 && !pattern.status.includes(reply.status)) return `status ${reply.status}`;
  for (const [name, text] of Object.entries(pattern.header)) {
    if (!reply.header(name)?.toLowerCase().includes(text)) return `${name} lacks ${JSON.stringify(text)}`;
  }
  if (pattern.body.length === 0 || pattern.body.some((one) => reply.body.includes(one))) return null;
  return `body lacks ${pattern.body.map((one) => JSON.stringify(one)).join(' and ')}`;
}

function countryOf({ header, after }: RegionPattern, reply: CheckedReply): string | null {
  const text = header === null ? reply.body : (reply.header(header) ?? '');
  const start = after === null ? 0 : text.indexOf(after);
  if (start < 0) return null;
  return CODE.exec(text.slice(start + (after?.length ?? 0)).slice(0, 16))?.[1] ?? null;
}

function regionOf({ map }: RegionPattern, country: string): string {
  const code = country.toLowerCase();
  return map[code] ?? (code === 'uk' ? 'gb' : code);
}
