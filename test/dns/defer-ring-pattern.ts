/** The writing thread's i-th record: length and bytes follow from i. */
export function patternRecord(i: number): Uint8Array {
  const record = new Uint8Array((i * 31) % 257);
  for (let k = 0; k < record.length; k++) record[k] = (i + k * 7) & 255;
  return record;
}
