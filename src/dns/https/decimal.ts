/** Counts the decimal digits of a non-negative integer. */
export function decimalDigits(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

/** Writes `value` in exactly `digits` digits. @returns the offset behind the last one */
export function putDecimal(into: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value;
  for (let i = digits - 1; i >= 0; i--) {
    into[at + i] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + digits;
}
