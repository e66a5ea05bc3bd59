import { beforeEach, expect, it } from 'vitest';
import { type Claim, ClaimDesk, ClaimOutcome } from '../../../src/dns/private-names/index.ts';
import { sourceFromText } from '../../../src/net/index.ts';

const MINUTE_MS = 60_000;

let nowMs: number;
let asked: number;
let outcome: ClaimOutcome | Error;
let desk: ClaimDesk;
beforeEach(() => {
  nowMs = 1_000_000;
  asked = 0;
  outcome = ClaimOutcome.REGISTERED;
  desk = new ClaimDesk({
    seed: 7,
    now: () => nowMs,
    ask: async () => {
      asked++;
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  });
});

const claim = (token: string, address: string, isRegistered = false): Claim => ({
  token,
  source: sourceFromText(address)!,
  isRegistered,
});

it('reports a registered address every five minutes', async () => {
  const report = () => desk.claim(claim('tv', '198.51.99.1', true));
  for (let i = 0; i < 3; i++) expect(await report()).toBe(ClaimOutcome.REGISTERED);
  expect(asked).toBe(1);
  nowMs += 5 * MINUTE_MS;
  await report();
  expect(asked).toBe(2);
});

it('asks again for an address that was registered and is no longer', async () => {
  await desk.claim(claim('tv', '198.51.99.1', true));
  outcome = ClaimOutcome.DEAD;
  expect(await desk.claim(claim('tv', '198.51.99.1'))).toBe(ClaimOutcome.DEAD);
});

it('asks once for claims of one name and address at a time', async () => {
  const all = Array.from({ length: 20 }, () => desk.claim(claim('tv', '198.51.99.1')));
  expect(new Set(await Promise.all(all))).toEqual(new Set([ClaimOutcome.REGISTERED]));
  expect(asked).toBe(1);
});

it.each([ClaimOutcome.DEAD, ClaimOutcome.LIVE])('remembers outcome %i for 20 s', async (one) => {
  outcome = one;
  await desk.claim(claim('tv', '198.51.99.1'));
  nowMs += 19_999;
  await desk.claim(claim('tv', '198.51.99.1'));
  expect(asked).toBe(1);
  nowMs += 1;
  await desk.claim(claim('tv', '198.51.99.1'));
  expect(asked).toBe(2);
});

it('limits guesses of a prefix, and serves others meanwhile', async () => {
  outcome = ClaimOutcome.DEAD;
  const outcomes: ClaimOutcome[] = [];
  for (let i = 0; i < 100; i++) outcomes.push(await desk.claim(claim(`guess${i}`, `198.51.99.${i}`)));
  expect(outcomes.filter((one) => one === ClaimOutcome.DEAD)).toHaveLength(40);
  expect(outcomes.at(-1)).toBe(ClaimOutcome.BUSY);
  outcome = ClaimOutcome.REGISTERED;
  expect(await desk.claim(claim('tv', '198.51.98.1')), 'another prefix').toBe(ClaimOutcome.REGISTERED);
  expect(await desk.claim(claim('tv', '198.51.99.200', true)), 'a registered neighbor').toBe(
    ClaimOutcome.REGISTERED,
  );
  nowMs += 200;
  expect(await desk.claim(claim('tv', '198.51.99.201')), 'a fifth of a second later').toBe(
    ClaimOutcome.REGISTERED,
  );
});

it('limits guesses of IPv6 by the /56', async () => {
  outcome = ClaimOutcome.DEAD;
  for (let i = 0; i < 40; i++) await desk.claim(claim(`guess${i}`, `2a00:0:0:${i.toString(16)}::1`));
  expect(await desk.claim(claim('tv', '2a00:0:0:ff::1'))).toBe(ClaimOutcome.BUSY);
  expect(await desk.claim(claim('tv', '2a00:0:0:100::1'))).toBe(ClaimOutcome.DEAD);
});

it('is busy, and remembers nothing, while the control does not answer', async () => {
  outcome = new Error('away');
  expect(await desk.claim(claim('tv', '198.51.99.1'))).toBe(ClaimOutcome.BUSY);
  outcome = ClaimOutcome.REGISTERED;
  expect(await desk.claim(claim('tv', '198.51.99.1'))).toBe(ClaimOutcome.REGISTERED);
});
