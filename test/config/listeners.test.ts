import { describe, expect, it } from 'vitest';
import { load, problemsOf, REGIONS } from './builders.ts';

const OWN = 'expected an address and port of its own';

describe('two listeners on one address and port', () => {
  it.each([
    [
      'dns: { tcp: ["127.0.0.1:8080"] }',
      `control.listen[0]: found 127.0.0.1:8080, which dns.tcp[0] opens too, ${OWN}`,
    ],
    [
      'metrics: { listen: ["127.0.0.1:5300"] }',
      `metrics.listen[0]: found 127.0.0.1:5300, which dns.tcp[0] opens too, ${OWN}`,
    ],
    [
      'dns: { udp: ["0.0.0.0:53", "127.0.0.1:53"] }',
      `dns.udp[1]: found 127.0.0.1:53, which dns.udp[0] opens too as 0.0.0.0:53, ${OWN}`,
    ],
    [
      'dns: { udp: ["127.0.0.1:53", "0.0.0.0:53"] }',
      `dns.udp[1]: found 0.0.0.0:53, which dns.udp[0] opens too as 127.0.0.1:53, ${OWN}`,
    ],
    [
      'dns: { udp: ["[::]:53", "[::1]:53"] }',
      `dns.udp[1]: found [::1]:53, which dns.udp[0] opens too as [::]:53, ${OWN}`,
    ],
    [
      'roles: [edge, relay]\ndns: { udp: ["0.0.0.0:443"] }\nrelay: { quic: ["192.0.2.1:443"] }',
      `relay.quic[0]: found 192.0.2.1:443, which dns.udp[0] opens too as 0.0.0.0:443, ${OWN}`,
    ],
    [
      'dns: { udp: ["127.0.0.1:53", "[::ffff:127.0.0.1]:53"] }',
      'dns.udp[1]: found "[::ffff:127.0.0.1]:53" a second time, expected each once',
    ],
  ])('%s', (yaml, problem) => {
    expect(problemsOf(`${REGIONS}\n${yaml}\n`)).toEqual([problem]);
  });

  it.each([
    ['over UDP and over TCP', 'dns: { udp: ["127.0.0.1:53"], tcp: ["127.0.0.1:53"] }'],
    ['of QUIC and of TLS', 'roles: [relay]\nrelay: { quic: ["192.0.2.1:443"], tls: ["192.0.2.1:443"] }'],
    ['of two families', 'dns: { udp: ["0.0.0.0:53", "[::]:53"] }'],
    [
      "on ports of the system's choice",
      'dns: { tcp: ["127.0.0.1:0"] }\ncontrol: { listen: ["127.0.0.1:0"] }',
    ],
    ['of which one belongs to a role that does not run', 'roles: [edge]\ndns: { tcp: ["127.0.0.1:8080"] }'],
    ['on two addresses', 'dns: { tcp: ["127.0.0.2:8080"] }'],
  ])('but listeners %s do not collide', (_, yaml) => {
    expect(problemsOf(`${REGIONS}\n${yaml}\n`)).toEqual([]);
  });
});

describe('warnings', () => {
  const warningsOf = (yaml: string) => load(`${REGIONS}\n${yaml}\n`).warnings;
  const PUBLIC_RELAY =
    'regions: { us: { relays: [{ address: 8.8.4.4 }] } }\ncontrol: { publicUrl: https://a.example }\nroles: [edge]\n';
  const PROBED = 'health: { names: [a.example, b.example] }\n';

  it('do not appear for the defaults', () => {
    expect(warningsOf('')).toEqual([]);
  });

  it('name allowPrivate if a listener is reachable from other machines', () => {
    const yaml = 'dns: { udp: ["0.0.0.0:53"] }\nregistration: { allowPrivate: true }';
    expect(load(PUBLIC_RELAY + PROBED + yaml).warnings).toEqual([
      'registration.allowPrivate: private addresses may register, and dns.udp[0] is reachable from other machines (0.0.0.0:53)',
    ]);
  });

  it('name a public API without https', () => {
    expect(warningsOf('control: { listen: ["0.0.0.0:8080"] }')).toEqual([
      'control.publicUrl: control.listen[0] is reachable from other machines, and control.publicUrl is not https: keys and secrets travel unencrypted',
    ]);
  });

  it('name relays and URLs that only this machine can reach', () => {
    expect(warningsOf(`${PROBED}dns: { udp: ["0.0.0.0:53"] }`)).toEqual([
      'control.publicUrl: http://127.0.0.1:8080 works on this machine only',
      'regions.us.relays[0]: 203.0.113.1 is not a public address (documentation)',
    ]);
  });

  it('name relays that are not probed, or probed by a single name', () => {
    const open = `${PUBLIC_RELAY}dns: { udp: ["0.0.0.0:53"] }\n`;
    expect(load(open).warnings).toEqual([
      'health.names: relays are not probed: a dead relay stays in the answers',
    ]);
    expect(load(`${open}health: { names: [a.example] }`).warnings).toEqual([
      'health.names: if a.example fails, every relay looks down: add a second name',
    ]);
    expect(load(open + PROBED).warnings).toEqual([]);
  });

  it('name public metrics, a missing transport, short leases and short keys', () => {
    expect(warningsOf('metrics: { listen: ["0.0.0.0:9153"] }')).toHaveLength(1);
    expect(warningsOf('dns: { tcp: [] }')[0]).toMatch(/^dns\.tcp: /);
    expect(warningsOf('dns: { udp: [] }')[0]).toMatch(/^dns\.udp: /);
    expect(warningsOf('dns: { xdp: { interface: eth0 } }')).toEqual([
      'dns.xdp.interface: ignored: dns.engine is auto, not af-xdp',
    ]);
    expect(warningsOf('registration: { leaseDays: 30 }')[0]).toMatch(/^registration\.leaseDays: /);
    const [keyWarning] = warningsOf('control: { adminKey: hunter2 }');
    expect(keyWarning).toMatch(/^control\.adminKey: /);
    expect(keyWarning).not.toContain('hunter2');
  });
});
