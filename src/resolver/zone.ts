/**
 * The zone that a name's questions are counted under, as a key: its last two labels, or three below a short second level
 * under a country (`co.uk`). A forwarder does not see zone cuts, so this stands in for BIND's fetches-per-zone.
 *
 * @param name wire form, lower case, in [0, nameLength)
 */
export function zoneKey(name: Uint8Array, nameLength: number): string {
  let third = 0;
  let second = 0;
  let top = 0;
  for (let at = 0; at < nameLength && name[at] !== 0; at += name[at] + 1) {
    third = second;
    second = top;
    top = at;
  }
  const isRegistry = name[top] === 2 && name[second] <= 3 && second !== top;
  const start = isRegistry ? third : second;
  return Buffer.from(name.buffer, name.byteOffset + start, nameLength - start).toString('latin1');
}
