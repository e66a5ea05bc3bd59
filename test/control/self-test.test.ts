import { describe, expect, it } from 'vitest';

interface PageModule {
  verdictOf(tally: { loads: number; reached: number; registered: number; relayed: boolean | null }): string;
}

// The page's own JavaScript, which has types of its own.
const file = '../../src/control/page/self-test.js';
const { verdictOf } = (await import(file)) as PageModule;

describe('the verdict of the self-test', () => {
  const verdict = (reached: number, registered: number, relayed: boolean | null = null) =>
    verdictOf({ loads: 8, reached, registered, relayed });

  it('follows from which names loaded', () => {
    expect(verdict(0, 0)).toBe('elsewhere');
    expect(verdict(5, 5)).toBe('mixed');
    expect(verdict(8, 0)).toBe('unregistered');
    expect(verdict(8, 5)).toBe('partly');
    expect(verdict(8, 8)).toBe('working');
  });

  it('is not "working" where the relay does not carry the device', () => {
    expect(verdict(8, 8, true)).toBe('working');
    expect(verdict(8, 8, false)).toBe('relay');
    // A fault on the way to the relay is told before one of the relay.
    expect(verdict(8, 5, false)).toBe('partly');
    expect(verdict(8, 0, null)).toBe('unregistered');
  });
});
