import { expect, it } from 'vitest';
import { ProbeNotice, readProbeNotice, writeProbeNotice } from '../../src/net/index.ts';

it('is a fatal alert in an SSL 3.0 record and round-trips', () => {
  expect([...writeProbeNotice(ProbeNotice.DRAINING)]).toEqual([21, 3, 0, 0, 2, 2, 90]);
  for (const notice of Object.values(ProbeNotice)) {
    expect(readProbeNotice(writeProbeNotice(notice))).toBe(notice);
  }
});

it.each([
  ['nothing', []],
  ['a part', [21, 3, 0, 0, 2, 2]],
  ["an origin's alert", [21, 3, 3, 0, 2, 2, 90]],
  ['a warning', [21, 3, 0, 0, 2, 1, 90]],
  ['another alert', [21, 3, 0, 0, 2, 2, 40]],
  ['a ServerHello', [22, 3, 0, 0, 2, 2, 90]],
])('is not read from %s', (_, bytes) => {
  expect(readProbeNotice(Uint8Array.from(bytes))).toBeNull();
});
