import { LoadPlanError } from './errors.ts';

/** Relative shares: 70 and 30 mean the same as 7 and 3. */
export type Shares<Name extends string> = Readonly<Record<Name, number>>;

/** Longest turn sequence; it bounds the rounding error of shares. */
const MAX_TURNS = 65_536;

/**
 * Parses `catalog=70,hit=25,miss=5`. Absent names have no share.
 * @param what subject of the message
 * @throws LoadPlanError
 */
export function parseShares<Name extends string>(
  text: string,
  names: readonly Name[],
  what: string,
): Shares<Name> {
  const shares = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  for (const part of text.split(',')) {
    const [key, share] = part.split('=');
    const name = names.find((known) => known === key?.trim());
    if (name === undefined || share === undefined || !/^\d{1,6}$/.test(share)) {
      throw new LoadPlanError(
        `found ${JSON.stringify(part)} in the ${what}, expected NAME=SHARE of ${names.join(', ')}`,
      );
    }
    shares[name] = Number(share);
  }
  if (names.every((name) => shares[name] === 0)) {
    throw new LoadPlanError(`found a ${what} of nothing, expected a share above 0`);
  }
  return shares;
}

/**
 * Builds a repeatable sequence of turns in which each weight's turns are spread as evenly as possible, so that
 * any stretch of a load has the same mix.
 * @param weights 1 to 256 integers from 0, at least one above 0
 */
export function turnsOf(weights: readonly number[]): Uint8Array {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const divisor = weights.reduce(greatestCommonDivisor, 0);
  const turns = new Uint8Array(Math.min(total / divisor, MAX_TURNS));
  const credit = weights.map(() => 0);
  for (let turn = 0; turn < turns.length; turn++) {
    let next = 0;
    for (let i = 0; i < weights.length; i++) {
      credit[i] += weights[i];
      if (credit[i] > credit[next]) next = i;
    }
    credit[next] -= total;
    turns[turn] = next;
  }
  return turns;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
