import { describe, expect, it } from 'vitest';
import { InheritedSocketError, InheritedSockets } from '../../src/cli/serve/inherited.ts';
import type { InheritedSocket } from '../../src/sys/index.ts';

const PID = 77;
const env = (fds: string, names: string, pid = String(PID)) => ({
  LISTEN_PID: pid,
  LISTEN_FDS: fds,
  LISTEN_FDNAMES: names,
});
const socket = (fields: Partial<InheritedSocket> = {}) => {
  const udp = {
    type: 'udp',
    family: 4,
    bytes: Uint8Array.of(127, 0, 0, 1),
    port: 53,
    isDualStack: false,
  } as const;
  return (fd: number): InheritedSocket => ({ ...udp, fd, ...fields });
};
const config = {
  roles: ['edge'],
  dns: { udp: ['192.0.2.1:53'], tcp: [] },
  relay: { tls: ['192.0.2.1:443'] },
} as never;
const loaded = { config, file: '', directory: '', warnings: [] };

function problem(
  environment: NodeJS.ProcessEnv,
  describe: (fd: number) => InheritedSocket | null = socket(),
): string {
  try {
    InheritedSockets.read(environment, PID, describe).apply(loaded);
  } catch (error) {
    if (error instanceof InheritedSocketError) return error.message;
    throw error;
  }
  throw new Error('no error');
}

describe('inherited sockets', () => {
  it('take the place of the configured addresses, several of a name', () => {
    const sockets = InheritedSockets.read(env('2', 'dns-udp:dns-udp'), PID, socket());
    const applied = sockets.apply(loaded).config;
    expect(applied.dns.udp).toEqual(['127.0.0.1:53']);
    expect(sockets.listeners(applied, 'dns-udp').map(({ fd }) => fd)).toEqual([3, 4]);
    expect(sockets.listeners(applied, 'relay-tls')).toMatchObject([{ port: 443 }]);
    expect(sockets.listeners(applied, 'relay-tls')[0]).not.toHaveProperty('fd');
  });

  it('of another process are left alone', () => {
    for (const environment of [env('1', 'nonsense', '78'), {}]) {
      expect(InheritedSockets.read(environment, PID, socket()).apply(loaded).config).toBe(config);
    }
  });

  it.each([
    [env('many', 'dns-udp'), 'LISTEN_FDS: found "many", expected 0 to 1024'],
    [env('2', 'dns-udp'), 'LISTEN_FDNAMES: found 1 names, expected one for each of LISTEN_FDS (2)'],
    [env('1', ''), 'LISTEN_FDNAMES: found 0 names, expected one for each of LISTEN_FDS (1)'],
    [env('1', 'dns'), 'LISTEN_FDNAMES: found "dns", expected one of dns-udp, dns-tcp, '],
    [
      env('1', 'dns-tcp'),
      'descriptor 3 (dns-tcp): found a socket for UDP, expected a TCP socket that listens',
    ],
    [env('1', 'relay-quic'), 'LISTEN_FDNAMES: found relay-quic, but roles has no relay'],
  ])('%j are an error that says what was found', (environment, text) => {
    expect(problem(environment)).toContain(text);
  });

  it('are errors if they are something else, take both families, or lack a server in the configuration', () => {
    expect(problem(env('1', 'dns-udp'), () => null)).toContain(
      'found no bound socket, expected a bound UDP socket',
    );
    const dual = socket({ family: 6, bytes: new Uint8Array(16), isDualStack: true });
    expect(problem(env('1', 'dns-udp'), dual)).toContain('BindIPv6Only=ipv6-only');
    expect(problem(env('1', 'dns-tcp'), socket({ type: 'tcp' }))).toContain('dns.tcp is empty');
  });
});
