import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Protocol = 'tcp' | 'udp';

/** A process that holds a port. */
export interface Holder {
  readonly pid: number;
  /** Name of its program, at most 15 characters. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** States in /proc/net of sockets that hold their port: LISTEN for TCP, unconnected for UDP. */
const STATE = { tcp: '0A', udp: '07' } as const;
const WILDCARDS = ['0.0.0.0', '::'];

/** Finds the processes that hold a port of this address or of all addresses. Other users' processes are seen by root only. */
export function portHolders(protocol: Protocol, address: string, port: number): Holder[] {
  const sockets = [`${protocol}`, `${protocol}6`]
    .flatMap((table) => readSockets(table, STATE[protocol]))
    .filter((one) => one.port === port && (one.address === address || WILDCARDS.includes(one.address)));
  const byInode = new Map(sockets.map((one) => [one.inode, one]));
  return byInode.size === 0 ? [] : holdersOf(byInode);
}

interface TableSocket {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

function readSockets(table: string, state: string): TableSocket[] {
  const lines = textOf(`/proc/net/${table}`).split('\n').slice(1);
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [hex = '', port = ''] = (fields[1] ?? '').split(':');
    if (fields[3] !== state) return [];
    return [{ address: addressOf(hex), port: Number.parseInt(port, 16), inode: fields[9] ?? '' }];
  });
}

/** Reads an address of /proc/net: 32-bit words in the host's byte order, which is little-endian here. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  bytes.swap32();
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function holdersOf(byInode: ReadonlyMap<string, TableSocket>): Holder[] {
  const found = new Map<number, Holder>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    for (const link of descriptorsOf(entry)) {
      const socket = byInode.get(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '');
      if (socket === undefined) continue;
      const { address, port } = socket;
      found.set(Number(entry), {
        pid: Number(entry),
        name: textOf(`/proc/${entry}/comm`).trim(),
        address,
        port,
      });
    }
  }
  return [...found.values()];
}

/** A process may end, or belong to another user: then it has none. */
function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${name}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
