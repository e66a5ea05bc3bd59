import { type Address, formatAddress, parseAddress, sameAddress, scopeOf } from '../net/index.ts';
import { LoadPlanError, TargetRefusedError } from './errors.ts';

/**
 * Reads a list of the targets that a load may be aimed at: an address a line; `#` begins a comment.
 * @param file for messages
 * @throws LoadPlanError for a line that is no address
 */
export function parseAllowList(text: string, file: string): Address[] {
  const addresses: Address[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const word = line.replace(/#.*/, '').trim();
    if (word === '') continue;
    const address = parseAddress(word);
    if (address === null) {
      throw new LoadPlanError(`${file}:${index + 1}: found ${JSON.stringify(word)}, expected an IP address`);
    }
    addresses.push(address);
  }
  return addresses;
}

/**
 * A load is an attack where it is not wanted: it goes to this machine, or to what its operator has named.
 * @throws TargetRefusedError
 */
export function assertAllowedTarget(target: Address, allowed: readonly Address[]): void {
  if (scopeOf(target) === 'loopback' || allowed.some((address) => sameAddress(address, target))) return;
  throw new TargetRefusedError(
    `${formatAddress(target)} is neither a loopback address nor named in a file that --allow gives`,
  );
}
