import { LoadPlanError } from './errors.ts';

/** Parts of a load in any unit: 70 and 30 mean the same as 7 and 3. */
export type Shares<Name extends string> = Readonly<Record<Name, number>>;

/** The longest sequence of turns that is held: past it, shares are off by less than one in so many. */
const MAX_TURNS = 65_536;

/**
 * Reads `catalog=70,hit=25,miss=5`. Names that are not given have no share.
 * @param what for the message: what is mixed
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
 * Which of the weights has its turn, one turn after the other, to be repeated: turns are spread as evenly as
 * the weights allow, so that any stretch of a load has the same mix.
 * @param weights integers from 0, one of them at least above 0; at most 256 of them
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
