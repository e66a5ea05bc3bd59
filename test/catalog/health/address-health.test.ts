import { describe, expect, it } from 'vitest';
import { AddressHealth, drains } from '../../../src/catalog/health/address-health.ts';
import type { ProbeOutcome } from '../../../src/catalog/health/index.ts';

/**
 * States after each outcome, one second apart: u up, d down; D and U while draining; followed by ? while in
 * doubt.
 */
function states(outcomes: ProbeOutcome[], { fall = 3, rise = 2 } = {}): string {
  const health = new AddressHealth(0);
  return outcomes
    .map((outcome, index) => {
      health.note({ outcome, milliseconds: 7 }, { fall, rise }, 1000 * (index + 1));
      const letter = health.isUp ? 'u' : 'd';
      return (health.isDraining ? letter.toUpperCase() : letter) + (health.isInDoubt ? '?' : '');
    })
    .join(' ');
}

describe('an address of a relay', () => {
  it.each<[string, ProbeOutcome[], string]>([
    [
      'is up until it has failed often enough in a row',
      ['unreachable', 'timeout', 'closed', 'closed'],
      'u? u? d d',
    ],
    ['starts anew after a success', ['closed', 'closed', 'ok', 'closed', 'closed'], 'u? u? u u? u?'],
    [
      'is down until it has been good often enough in a row',
      ['closed', 'closed', 'closed', 'ok', 'closed', 'ok', 'ok'],
      'u? u? d d? d d? u',
    ],
    [
      'ignores probes that could not be made',
      ['untried', 'closed', 'untried', 'closed', 'untried', 'closed'],
      'u u? u? u? u? d',
    ],
    [
      'drains at once when it says so, and serves again at once when it stops saying so',
      ['draining', 'draining', 'ok'],
      'U U u',
    ],
    [
      'stays drained while it is switched off',
      ['draining', 'unreachable', 'unreachable', 'unreachable', 'ok', 'ok'],
      'U U? U? D d? u',
    ],
  ])('%s', (_, outcomes, expected) => {
    expect(states(outcomes)).toBe(expected);
  });

  it('goes down and up after one probe if so configured', () => {
    expect(states(['closed', 'ok', 'closed'], { fall: 1, rise: 1 })).toBe('d u d');
  });

  it('records when it was last good, how long that took, when it last changed, and counts', () => {
    const health = new AddressHealth(500);
    const limits = { fall: 1, rise: 1 };
    expect(health).toMatchObject({ lastGoodAtMs: 500, handshakeMs: null, latest: null });
    expect(health.note({ outcome: 'ok', milliseconds: 12.5 }, limits, 1000)).toBe(false);
    expect(health.note({ outcome: 'certificate', milliseconds: 3 }, limits, 2000)).toBe(true);
    expect(health.note({ outcome: 'certificate', milliseconds: 3 }, limits, 3000)).toBe(false);
    expect(health).toMatchObject({
      isUp: false,
      lastGoodAtMs: 1000,
      handshakeMs: 12.5,
      sinceMs: 2000,
      latest: 'certificate',
    });
    expect(health.counts.reduce((sum, count) => sum + count)).toBe(3);
  });
});

describe('a relay with two addresses', () => {
  const found = (outcome: ProbeOutcome | null, atMs = 0): AddressHealth => {
    const health = new AddressHealth(0);
    if (outcome !== null) health.note({ outcome, milliseconds: 1 }, { fall: 1, rise: 1 }, atMs);
    return health;
  };

  it.each<[boolean, string, AddressHealth[]]>([
    [false, 'none has had a say', [found(null), found('untried', 9)]],
    [true, 'one says so and the other is not reached', [found('draining', 1), found('unreachable', 9)]],
    [true, 'the latest says so', [found('ok', 1), found('draining', 2)]],
    [false, 'the latest says otherwise', [found('ok', 3), found('draining', 2)]],
  ])('drains: %s, where %s', (expected, _, addresses) => {
    expect(drains(addresses)).toBe(expected);
    expect(drains(addresses.toReversed())).toBe(expected);
  });
});
