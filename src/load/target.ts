import { type Address, formatAddress, parseAddress, sameAddress, scopeOf } from '../net/index.ts';
import { LoadPlanError, TargetRefusedError } from './errors.ts';

/**
 * Parses a list of allowed targets: one address a line, `#` starts a comment.
 * @param file name for messages
 * @throws LoadPlanError for a line without an address
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
 * Rejects targets other than this machine and those that its operator named: an unwanted load is an attack.
 * @throws TargetRefusedError
 */
export function assertAllowedTarget(target: Address, allowed: readonly Address[]): void {
  if (scopeOf(target) === 'loopback' || allowed.some((address) => sameAddress(address, target))) return;
  throw new TargetRefusedError(
    `${formatAddress(target)} is neither a loopback address nor named in a file that --allow gives`,
  );
}
