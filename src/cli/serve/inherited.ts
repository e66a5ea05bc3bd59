import type { Config, LoadedConfig } from '../../config/index.ts';
import {
  type Address,
  formatSocketAddress,
  parseSocketAddress,
  type SocketAddress,
} from '../../net/index.ts';
import { describeSocket, type InheritedSocket, libc } from '../../sys/index.ts';

/** First descriptor that a supervisor hands over (sd_listen_fds(3)). */
const FIRST_FD = 3;
const MOST_FDS = 1024;

/** Names of servers in LISTEN_FDNAMES: their key in the configuration, the type of their sockets, and their role. */
export const SERVERS = {
  'dns-udp': { key: 'dns.udp', type: 'udp', role: 'edge' },
  'dns-tcp': { key: 'dns.tcp', type: 'tcp', role: 'edge' },
  'dns-tls': { key: 'dns.tls', type: 'tcp', role: 'edge' },
  'dns-https': { key: 'dns.https', type: 'tcp', role: 'edge' },
  'relay-tls': { key: 'relay.tls', type: 'tcp', role: 'relay' },
  'relay-http': { key: 'relay.http', type: 'tcp', role: 'relay' },
  'relay-quic': { key: 'relay.quic', type: 'udp', role: 'relay' },
  control: { key: 'control.listen', type: 'tcp', role: 'control' },
  metrics: { key: 'metrics.listen', type: 'tcp', role: null },
} as const;
export type ServerName = keyof typeof SERVERS;

/** The sockets that the process was started with cannot be used. */
export class InheritedSocketError extends Error {
  readonly code = 'inherited_socket_unusable';
  constructor(problem: string) {
    super(problem);
    this.name = 'InheritedSocketError';
  }
}

/** Sockets that the process was started with, by server. They take the place of the server's addresses in the configuration. */
export class InheritedSockets {
  private readonly sockets: ReadonlyMap<ServerName, readonly SocketAddress[]>;

  constructor(sockets: ReadonlyMap<ServerName, readonly SocketAddress[]> = new Map()) {
    this.sockets = sockets;
  }

  /**
   * Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)).
   * @throws InheritedSocketError
   */
  static read(env: NodeJS.ProcessEnv, pid: number, describe = describeSocket): InheritedSockets {
    const sockets = new Map<ServerName, SocketAddress[]>();
    const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = env;
    if (LISTEN_FDS === undefined || LISTEN_PID !== String(pid)) return new InheritedSockets(sockets);
    const count = /^\d{1,4}$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : -1;
    if (count < 0 || count > MOST_FDS) {
      throw new InheritedSocketError(
        `LISTEN_FDS: found ${JSON.stringify(LISTEN_FDS)}, expected 0 to ${MOST_FDS}`,
      );
    }
    const names = LISTEN_FDNAMES === '' ? [] : LISTEN_FDNAMES.split(':');
    if (names.length !== count) {
      throw new InheritedSocketError(
        `LISTEN_FDNAMES: found ${names.length} names, expected one for each of LISTEN_FDS (${count})`,
      );
    }
    if (count > 0 && describe === describeSocket && libc() === null) {
      throw new InheritedSocketError('LISTEN_FDS: this platform cannot use inherited sockets; start without');
    }
    for (const [index, name] of names.entries()) {
      if (!isServer(name)) {
        const expected = Object.keys(SERVERS).join(', ');
        throw new InheritedSocketError(
          `LISTEN_FDNAMES: found ${JSON.stringify(name)}, expected one of ${expected} (FileDescriptorName= of the socket unit)`,
        );
      }
      const list = sockets.get(name) ?? [];
      sockets.set(name, [...list, usable(name, FIRST_FD + index, describe)]);
    }
    return new InheritedSockets(sockets);
  }

  /** Adds sockets that another process's supervisor holds; those of servers that have sockets already are left out. */
  with(held: ReadonlyMap<ServerName, readonly SocketAddress[]>): InheritedSockets {
    return new InheritedSockets(new Map([...held, ...this.sockets]));
  }

  /** Puts the addresses of inherited sockets into a configuration. @throws InheritedSocketError if it has no such server */
  apply(loaded: LoadedConfig): LoadedConfig {
    let { config } = loaded;
    for (const [name, sockets] of this.sockets) {
      const { key, role } = SERVERS[name];
      if (role !== null && !config.roles.includes(role)) {
        throw new InheritedSocketError(
          `LISTEN_FDNAMES: found ${name}, but roles has no ${role}: disable its socket unit`,
        );
      }
      if (listOf(config, name).length === 0) {
        throw new InheritedSocketError(
          `LISTEN_FDNAMES: found ${name}, but ${key} is empty: list an address there, which the inherited socket replaces`,
        );
      }
      config = withList(config, name, [...new Set(sockets.map(formatSocketAddress))]);
    }
    return { ...loaded, config };
  }

  has(name: ServerName): boolean {
    return this.sockets.has(name);
  }

  /** Listeners of a server: inherited sockets, else the addresses of the configuration. */
  listeners(config: Config, name: ServerName): SocketAddress[] {
    const inherited = this.sockets.get(name);
    if (inherited !== undefined) return [...inherited];
    return listOf(config, name).map((text) => parseSocketAddress(text)!);
  }
}

export function isServer(name: string): name is ServerName {
  return Object.hasOwn(SERVERS, name);
}

function usable(
  name: ServerName,
  fd: number,
  describe: (fd: number) => InheritedSocket | null,
): SocketAddress {
  const { type } = SERVERS[name];
  const socket = describe(fd);
  if (socket?.type !== type) {
    const expected = type === 'udp' ? 'a bound UDP socket' : 'a TCP socket that listens';
    const found = socket === null ? 'no bound socket' : `a socket for ${socket.type.toUpperCase()}`;
    throw new InheritedSocketError(
      `LISTEN_FDS: descriptor ${fd} (${name}): found ${found}, expected ${expected}`,
    );
  }
  if (socket.isDualStack && name !== 'control' && name !== 'metrics') {
    throw new InheritedSocketError(
      `LISTEN_FDS: descriptor ${fd} (${name}): found an IPv6 socket that takes IPv4 too, expected IPv6 only (BindIPv6Only=ipv6-only)`,
    );
  }
  const address: Address = { family: socket.family, bytes: socket.bytes } as Address;
  return { address, port: socket.port, fd };
}

function listOf(config: Config, name: ServerName): readonly string[] {
  const [section, key] = pathOf(name);
  return (config[section] as unknown as Record<string, readonly string[]>)[key]!;
}

function withList(config: Config, name: ServerName, list: readonly string[]): Config {
  const [section, key] = pathOf(name);
  return { ...config, [section]: { ...config[section], [key]: list } };
}

function pathOf(name: ServerName): ['dns' | 'relay' | 'control' | 'metrics', string] {
  const [section, key] = SERVERS[name].key.split('.');
  return [section as 'dns', key!];
}
