/**
 * Returns the first 64 bits of an IPv6 address: the registered part.
 *
 * @param {string} text an IPv6 address, or a prefix
 * @returns {string} four groups without leading zeros
 */
function network6(text) {
  const address = text.split('/')[0].toLowerCase();
  const [head, tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}

/**
 * @param {string} address
 * @returns {import('./types').Family}
 */
export function familyOf(address) {
  return address.includes(':') ? 6 : 4;
}

/**
 * Returns the registration of an address.
 *
 * @param {import('./types').Registration[]} registrations
 * @param {string} address
 */
export function registrationOf(registrations, address) {
  const isSame =
    familyOf(address) === 4
      ? (/** @type {string} */ other) => other === address
      : (/** @type {string} */ other) => familyOf(other) === 6 && network6(other) === network6(address);
  const found = registrations.find((registration) => isSame(registration.address));
  return found === undefined ? null : found;
}
