import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram } from './programs.ts';

const PREFIX = 'msbench';

/** One pair of virtual Ethernet interfaces: the server's end is here, the clients' in the namespace. */
export interface VethPair {
  /** The name of the server's end. */
  readonly name: string;
  readonly server: string;
  readonly client: string;
}

export interface VethNetwork {
  readonly pairs: readonly VethPair[];
  /** The program, with its arguments, that runs another in the clients' namespace. */
  readonly wrapper: readonly string[];
  remove(): void;
}

/** A network namespace for clients, with `count` pairs to it. @throws Error where the process may not make it */
export function makeVethNetwork(count: number): VethNetwork {
  const namespace = `${PREFIX}${process.pid}`;
  const program = findProgram('ip') ?? 'ip';
  const ip = (...args: string[]): void => {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    if (status !== 0)
      throw new Error(`ip ${args.join(' ')}: ${stderr.trim()} (it takes root, or CAP_NET_ADMIN)`);
  };
  const remove = (): void => void spawnSync(program, ['netns', 'delete', namespace]);
  removeStale(program);
  try {
    ip('netns', 'add', namespace);
    const pairs = Array.from({ length: count }, (_, i): VethPair => {
      const name = `msb${process.pid}x${i}`;
      const [server, client] = [`10.198.${i + 10}.1`, `10.198.${i + 10}.2`];
      ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `c${i}`, 'netns', namespace);
      ip('address', 'add', `${server}/24`, 'dev', name);
      ip('link', 'set', name, 'up');
      ip('-n', namespace, 'address', 'add', `${client}/24`, 'dev', `c${i}`);
      ip('-n', namespace, 'link', 'set', `c${i}`, 'up');
      return { name, server, client };
    });
    return { pairs, wrapper: [program, 'netns', 'exec', namespace], remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Removes the namespaces of killed benches; their interfaces go too. */
function removeStale(program: string): void {
  const { stdout } = spawnSync(program, ['netns', 'list'], { encoding: 'utf8' });
  for (const line of (stdout ?? '').split('\n')) {
    const name = line.split(' ')[0]!;
    if (!name.startsWith(PREFIX) || existsSync(`/proc/${name.slice(PREFIX.length)}`)) continue;
    spawnSync(program, ['netns', 'delete', name]);
  }
}
