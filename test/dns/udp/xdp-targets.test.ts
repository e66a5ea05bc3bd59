import { describe, expect, it } from 'vitest';
import { xdpTargets } from '../../../src/dns/udp/xdp-targets.ts';
import { FAMILIES } from '../../../src/metrics/counters.ts';
import { formatAddress, parseSocketAddress } from '../../../src/net/index.ts';
import { FrameVerdict, XdpError } from '../../../src/sys/xdp/index.ts';

const OWN = ['192.0.2.53', '192.0.2.54', '2001:db8::53', 'fe80::1', '127.0.0.1', '::1'];

function targets(listeners: readonly string[], own: readonly string[] = OWN): string[] {
  const made = xdpTargets(
    'wan0',
    listeners.map((text) => parseSocketAddress(text)!),
    (name) => (name === 'wan0' ? own : []),
  );
  return made.map(({ family, address, port, listener }) => {
    return `${formatAddress({ family, bytes: address })} ${port} ${listener}`;
  });
}

describe('what is taken from an interface', () => {
  it('is what comes to the listeners’ addresses that it has', () => {
    expect(targets(['127.0.0.1:53', '192.0.2.54:53', '[2001:db8::53]:5353', '203.0.113.1:53'])).toEqual([
      '192.0.2.54 53 1',
      '2001:db8::53 5353 2',
    ]);
  });

  it('is what comes to each of its addresses, for a listener on all of them', () => {
    expect(targets(['0.0.0.0:53', '[::]:54'])).toEqual([
      '192.0.2.53 53 0',
      '192.0.2.54 53 0',
      '2001:db8::53 54 1',
      'fe80::1 54 1',
    ]);
  });

  it.each([[['127.0.0.1:53', '[::1]:53']], [['203.0.113.1:53']], [[]]])(
    'is something, or there is no point in it: %j',
    (listeners) => {
      expect(() => targets(listeners)).toThrow(XdpError);
      expect(() => targets(listeners)).toThrow('"wan0" is down, or has none of the addresses');
    },
  );

  it('is as much as a program can look through', () => {
    const own = Array.from({ length: 33 }, (_, i) => `192.0.2.${i}`);
    expect(targets(['0.0.0.0:53'], own.slice(1))).toHaveLength(32);
    expect(() => targets(['0.0.0.0:53'], own)).toThrow(
      'has 33 addresses that are listened on, and 32 can be served',
    );
  });
});

it('frames are counted by the names that the system part has for them', () => {
  const results = FAMILIES.find(({ name }) => name === 'mediastreamer_xdp_frames_total')!.labels['result'];
  expect(results).toEqual([...Object.keys(FrameVerdict).map((verdict) => verdict.toLowerCase()), 'unsent']);
});
