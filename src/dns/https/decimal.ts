/** How many digits a number has. */
export function decimalDigits(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

/** Writes a number in as many digits as it has. @returns where it ends */
export function putDecimal(into: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value;
  for (let i = digits - 1; i >= 0; i--) {
    into[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}
